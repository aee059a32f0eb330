import { FAULT_CODE, Fault } from './refusal.ts';

/** Positional parameters, type-checked as xmlrpc-c's paramList does; what comes after the last one asked for is ignored. */
export class Params {
  readonly #values: readonly unknown[];

  constructor(values: readonly unknown[]) {
    this.#values = values;
  }

  get size(): number {
    return this.#values.length;
  }

  int(index: number, fallback?: number): number {
    const value = this.#at(index, fallback);
    if (typeof value === 'number' && Number.isInteger(value)) return value;
    throw wrongType('integer');
  }

  string(index: number, fallback?: string): string {
    const value = this.#at(index, fallback);
    if (typeof value === 'string') return value;
    throw wrongType('string');
  }

  boolean(index: number, fallback?: boolean): boolean {
    const value = this.#at(index, fallback);
    if (typeof value === 'boolean') return value;
    throw wrongType('boolean');
  }

  #at(index: number, fallback: unknown): unknown {
    if (index < this.#values.length) return this.#values[index];
    if (fallback !== undefined) return fallback;
    throw new Fault(FAULT_CODE.TYPE, 'Not enough parameters');
  }
}

const wrongType = (type: string): Fault => new Fault(FAULT_CODE.TYPE, `Parameter that is supposed to be ${type} is not`);
