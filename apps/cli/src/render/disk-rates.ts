/** Bytes per second of one stretch of work, smoothed, so that neither figure nor ETA jumps about. */
export class Rate {
  readonly #windowMs: number;
  #samples: { readonly atMs: number; readonly bytes: number }[] = [];

  constructor(windowMs = 5000) {
    this.#windowMs = windowMs;
  }

  /** Notes how far it is and returns the mean over the window; undefined until two samples are apart. */
  at(nowMs: number, bytes: number): number | undefined {
    this.#samples.push({ atMs: nowMs, bytes });
    while (this.#samples.length > 2 && nowMs - (this.#samples[1]?.atMs ?? nowMs) >= this.#windowMs) this.#samples.shift();
    const first = this.#samples[0];
    if (first === undefined || nowMs <= first.atMs) return undefined;
    return ((bytes - first.bytes) / (nowMs - first.atMs)) * 1000;
  }
}
