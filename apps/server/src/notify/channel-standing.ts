/** How a channel does, since the start of the process. */
export interface ChannelStanding {
  readonly channel: string;
  /** Messages. */
  readonly delivered: number;
  /** Attempts that failed; each is tried again. */
  readonly failures: number;
  /** Entries that were never told: too old at last, or too many. */
  readonly givenUp: number;
  /** Entries that wait. */
  readonly pending: number;
}
