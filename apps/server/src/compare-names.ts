/** The same on every machine: the language is said, not taken from the environment. */
const NAMES = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

/** As a person sorts names: vm-2 before vm-10, whatever the case. */
export function compareNames(name: string, other: string): number {
  return NAMES.compare(name, other);
}
