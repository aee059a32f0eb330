/** Where the answer about the session is kept among the queries. */
export const SESSION_KEY = ['session'] as const;
