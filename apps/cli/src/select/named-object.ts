import { usageError } from '../errors.ts';

/** The id of an object by its id or its exact name, among those the caller may see. `what`: `a network`. */
export function idOfNamed<Id extends number>(objects: readonly { readonly id: Id; readonly name: string }[], text: string, what: string): Id {
  const found = objects.filter(({ id, name }) => (/^\d+$/.test(text) ? id === Number(text) : name === text));
  const [first, ...others] = found;
  if (first !== undefined && others.length === 0) return first.id;
  const noun = what.replace(/^an? /, '');
  throw usageError(
    first === undefined ? `there is no ${noun} '${text}'` : `${found.length} objects are named '${text}'`,
    `${noun}s: ${objects.map(({ id, name }) => `${id} ${name}`).join(', ') || 'none that this user may use'}`,
  );
}
