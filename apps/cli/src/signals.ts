/** The signals of one process; `process` itself, or an emitter in a test. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: () => void): unknown;
  off(signal: NodeJS.Signals, listener: () => void): unknown;
}

const CANCELLING: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** What the signals do, for people. */
export interface SignalWords {
  readonly first: string;
  readonly again: string;
}

const STOPPING: SignalWords = {
  first: 'stopping, and taking back what was made. Once more to leave at once.',
  again: 'leaving at once. The journal keeps what is still to be taken back; the next backup lists it.',
};

/** Of somebody who looks on at what a server does. */
export const LEAVING: SignalWords = { first: 'no longer looking on.', again: 'leaving at once.' };

export interface Signals extends Disposable {
  readonly signal: AbortSignal;
  /** What SIGHUP does instead of stopping, until it is given back: a daemon has no terminal that could go, and reads its settings again. */
  onHangUp(instead: () => void): Disposable;
  /** What is done, at once, before the second signal leaves: for what nobody takes away any more. Until it is given back. */
  onLeave(before: () => void): Disposable;
}

/** Why a run stops: base's `isAbort` knows it by its name. */
export class Cancelled extends Error {
  override readonly name = 'AbortError';
}

/**
 * First signal: aborts, and the run takes back what it made, in order. Second: leaves at once; the journal on disk still says what is left.
 * Disposing gives the signals back to Node.
 */
export function cancelOnSignals(source: SignalSource, say: (text: string) => void, leave: () => void, words: SignalWords = STOPPING): Signals {
  const controller = new AbortController();
  let hangUp: (() => void) | undefined;
  const leaving = new Set<() => void>();
  const listeners = CANCELLING.map((name) => {
    const listener = (): void => {
      if (name === 'SIGHUP' && hangUp !== undefined) {
        hangUp();
        return;
      }
      if (controller.signal.aborted) {
        say(`${name} again: ${words.again}`);
        for (const before of leaving) before();
        leave();
        return;
      }
      say(`${name}: ${words.first}`);
      controller.abort(new Cancelled(`cancelled by ${name}`));
    };
    source.on(name, listener);
    return { name, listener };
  });
  return {
    signal: controller.signal,
    onHangUp(instead) {
      hangUp = instead;
      return {
        [Symbol.dispose]() {
          hangUp = undefined;
        },
      };
    },
    onLeave(before) {
      leaving.add(before);
      return { [Symbol.dispose]: () => void leaving.delete(before) };
    },
    [Symbol.dispose]() {
      for (const { name, listener } of listeners) source.off(name, listener);
    },
  };
}
