/** Blocks `from` up to, without, `to`. */
export interface BlockRun {
  readonly from: number;
  readonly to: number;
}

interface Stream {
  /** The furthest block that somebody asked for. */
  last: number;
  /** Everything before it has been asked for in advance. */
  ahead: number;
  window: number;
}

/** More at once than any client reads in sequence from one disk: nbdcopy has 16 by default, each at a place of its own. */
const MAX_STREAMS = 32;

/**
 * Recognises who reads one block after the other, and says what to read ahead of him: nothing at the first block, from the second on twice as much each time, up to `maxWindow`
 * blocks. Pure but for what it remembers.
 */
export class ReadStreams {
  readonly #maxWindow: number;
  /** The one that was used last at the end. */
  readonly #streams: Stream[] = [];

  constructor(maxWindow: number) {
    this.#maxWindow = Math.max(1, maxWindow);
  }

  /** Block `index` was asked for; the run to read in advance now, if any. */
  touch(index: number): BlockRun | undefined {
    const at = this.#streams.findIndex(({ last, ahead }) => index >= last && index <= ahead);
    const [stream] = at < 0 ? [] : this.#streams.splice(at, 1);
    if (!stream) {
      this.#streams.push({ last: index, ahead: index + 1, window: 1 });
      if (this.#streams.length > MAX_STREAMS) this.#streams.shift();
      return undefined;
    }
    this.#streams.push(stream);
    if (index === stream.last) return undefined;
    stream.last = index;
    stream.ahead = Math.max(stream.ahead, index + 1);
    // Half of the window is still ahead: enough is under way.
    if (stream.ahead - index - 1 > stream.window / 2) return undefined;
    stream.window = Math.min(this.#maxWindow, stream.window * 2);
    const from = stream.ahead;
    stream.ahead = index + 1 + stream.window;
    return { from, to: stream.ahead };
  }
}
