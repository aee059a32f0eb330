import type { CallOptions } from '@onevault/base';

/** Where a host can reach us with what a guest writes to its serial port: a TCP listener in the proxy VM, anything that keeps its promises in a test. */
export interface ConsolePort {
  /** Listens from now on; for the guest of one VM. */
  open(options?: CallOptions): Promise<SerialConsole>;
}

/** Disposing it stops listening and closes what is connected. */
export interface SerialConsole extends AsyncDisposable {
  /** As the host must name it. */
  readonly host: string;
  readonly port: number;
  /** The first line, or beginning of one, that matches, with what has come before now as well. Rejects with the signal's reason; never by itself. */
  match(pattern: RegExp, options?: CallOptions): Promise<string>;
  /** The last that was written, at most 2000 characters. */
  tail(): string;
}
