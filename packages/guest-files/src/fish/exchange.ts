/** What one command of guestfish came to. `said` is what it wrote to standard error. */
export interface Reply {
  readonly ok: boolean;
  readonly output: Buffer;
  readonly said: Buffer;
}

/** A command whose answer is longer than this is not one that we send; more of standard error than this is not kept. */
const MAX_OUTPUT_BYTES = 32 * 2 ** 20;
const MAX_SAID_BYTES = 64 * 2 ** 10;

/**
 * One command and its answer on the two streams of guestfish. `time` in front of the command makes success visible where nothing that a guest named
 * can stand: after a failure a command has printed nothing, and after success the last line before the mark is guestfish's own (fish/time.c). The marks
 * hold a random token: `echo` of it on standard output, the complaint about an unknown command of that name on standard error.
 */
export class Exchange {
  readonly reply: Promise<Reply>;
  readonly #token: string;
  readonly #output: MarkedBytes;
  readonly #said: MarkedBytes;
  #resolve: (reply: Reply) => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  constructor(token: string) {
    this.#token = token;
    this.#output = new MarkedBytes(Buffer.from(`${token}\n`));
    this.#said = new MarkedBytes(Buffer.from(`${token}: unknown command`), MAX_SAID_BYTES);
    this.reply = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.reply.catch(() => undefined); // whoever sent the command awaits it, perhaps later
  }

  /** What goes to standard input; `-` so that guestfish does not end at an error. */
  script(line: Uint8Array): Buffer {
    return Buffer.concat([Buffer.from('-time '), line, Buffer.from(`\n-${this.#token}\necho ${this.#token}\n`)]);
  }

  /** False when more came than any answer may have. */
  tookOutput(chunk: Buffer): boolean {
    this.#output.push(chunk);
    this.#settle();
    return this.#output.length <= MAX_OUTPUT_BYTES;
  }

  tookSaid(chunk: Buffer): void {
    this.#said.push(chunk);
    this.#settle();
  }

  fail(error: unknown): void {
    this.#reject(error);
  }

  #settle(): void {
    const output = this.#output.beforeMark();
    const said = this.#said.beforeMark();
    if (output === undefined || said === undefined) return;
    const at = output.lastIndexOf('elapsed time: ');
    const ok = at >= 0 && /^elapsed time: \d+\.\d+ seconds\n$/.test(output.toString('latin1', at));
    this.#resolve({ ok, output: ok ? output.subarray(0, at) : output, said });
  }
}

/** Bytes of a stream up to a mark that comes once. */
class MarkedBytes {
  length = 0;
  #chunks: Buffer[] = [];
  #found: Buffer | undefined;
  readonly #mark: Buffer;
  readonly #keep: number;

  constructor(mark: Buffer, keep = Number.POSITIVE_INFINITY) {
    this.#mark = mark;
    this.#keep = keep;
  }

  push(chunk: Buffer): void {
    if (this.#found) return;
    // The mark ends what was sent last, so only the end has to be looked at.
    const tail = Buffer.concat([...this.#chunks.splice(-1), chunk]);
    const at = tail.indexOf(this.#mark, Math.max(0, tail.length - chunk.length - this.#mark.length));
    if (at >= 0) {
      const before = Buffer.concat([...this.#chunks, tail.subarray(0, at)]);
      this.#found = before.subarray(Math.max(0, before.length - this.#keep));
      this.#chunks = [];
      return;
    }
    this.length += chunk.length;
    if (this.length > this.#keep) {
      this.#chunks = [tail.subarray(-this.#mark.length)];
      return;
    }
    // Small chunks are joined, or one answer in bytes would cost an array entry each; large ones are not copied again and again.
    if (tail.length < 65_536) this.#chunks.push(tail);
    else this.#chunks.push(tail.subarray(0, -this.#mark.length), tail.subarray(-this.#mark.length));
  }

  beforeMark(): Buffer | undefined {
    return this.#found;
  }
}
