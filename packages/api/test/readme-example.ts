import { OPERATIONS, openApiDocument } from '@onevault/api';

/** What a person without any role may call, and how many operations the document of a version has. */
export function look(version: string): { readonly open: readonly string[]; readonly paths: number } {
  const open = OPERATIONS.filter(({ role }) => role === 'public').map(({ id }) => id);
  return { open, paths: Object.keys(openApiDocument(version)['paths'] as object).length };
}
