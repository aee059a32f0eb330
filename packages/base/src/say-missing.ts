/** For the `error` parameter of a zod parse: what is not there is called missing. Of everything else zod's own words are kept. */
export function sayMissing(issue: { readonly code?: string | undefined; readonly input?: unknown }): string | undefined {
  return issue.code === 'invalid_type' && issue.input === undefined ? 'is missing' : undefined;
}
