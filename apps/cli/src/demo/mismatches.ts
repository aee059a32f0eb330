import { CliError } from '../errors.ts';

/** What turned out otherwise than it should: the story is told to its end, and then it fails. */
export class Mismatches {
  readonly #found: string[] = [];

  note(text: string): void {
    this.#found.push(text);
  }

  expectEqual<T>(actual: T, expected: T, what: string): void {
    if (actual !== expected) this.note(`${what}: ${String(actual)} where ${String(expected)} was expected`);
  }

  get found(): readonly string[] {
    return this.#found;
  }

  throwIfAny(): void {
    if (this.#found.length === 0) return;
    throw new CliError({
      code: 'CLI_DEMO_MISMATCH',
      message: `${this.#found.length} comparison${this.#found.length === 1 ? '' : 's'} failed: ${this.#found.join('; ')}`,
      details: { mismatches: this.#found },
      hint: 'run again with --keep and compare the files it leaves',
    });
  }
}
