/** How long a lease lasts without a heartbeat, as its holder writes into it. */
export const LEASE_EXPIRY_MS = 10 * 60_000;
export const HEARTBEAT_MS = 60_000;

/** The holder stops this long after the beginning of its last good heartbeat: a third of the expiry is left for what it has already sent to the store. */
export function holderLimitMs(expiryMs: number): number {
  return Math.floor((expiryMs * 2) / 3);
}

/** An observer counts a lease as stale when it has seen no heartbeat for this long on its own monotonic clock: an eighth for clocks that run at different speeds. */
export function staleAfterMs(expiryMs: number): number {
  return Math.ceil((expiryMs * 9) / 8);
}
