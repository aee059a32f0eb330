/** An answer that gives the browser a session, or takes it away. */
export class SessionAnswer {
  readonly body: unknown;
  /** Undefined: the cookie goes. */
  readonly begun: { readonly secret: string; readonly expiresAt: Date } | undefined;

  constructor(body: unknown, begun: SessionAnswer['begun']) {
    this.body = body;
    this.begun = begun;
  }
}
