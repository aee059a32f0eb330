import type { Attributes, Host } from '@onevault/one-client';
import { text } from '../attributes.ts';

/**
 * Whether a host meets a requirement expression (SCHED_REQUIREMENTS), as oned's parser reads it (src/parsers/expr_bool.y): comparisons joined by & and |,
 * `!`, parentheses, `*` in a value. Undefined for what this reading does not know.
 */
export function meetsRequirement(
  host: Pick<Host, 'id' | 'name' | 'clusterId' | 'clusterName' | 'vmMad' | 'template'>,
  requirement: string,
): boolean | undefined {
  const tokens = requirement.match(TOKEN) ?? [];
  if (tokens.join('').length !== requirement.replace(/\s+(?=(?:[^"]*"[^"]*")*[^"]*$)/g, '').length) return undefined;
  const parser = new Parser(tokens, {
    ...upperCased(host.template),
    ID: String(host.id),
    NAME: host.name,
    CLUSTER_ID: String(host.clusterId),
    CLUSTER: host.clusterName,
  });
  return parser.whole();
}

const TOKEN = /"[^"]*"|@>|!=|[()&|!=<>]|[^\s()&|!=<>"@]+/g;

function upperCased(template: Attributes): Record<string, string> {
  return Object.fromEntries(Object.entries(template).flatMap(([name, value]) => (text(value) === undefined ? [] : [[name.toUpperCase(), text(value) ?? '']])));
}

type Truth = boolean | undefined;

class Parser {
  readonly #tokens: readonly string[];
  readonly #facts: Readonly<Record<string, string>>;
  #at = 0;
  #failed = false;

  constructor(tokens: readonly string[], facts: Readonly<Record<string, string>>) {
    this.#tokens = tokens;
    this.#facts = facts;
  }

  whole(): Truth {
    const truth = this.#either();
    return this.#failed || this.#at < this.#tokens.length ? undefined : truth;
  }

  /** In oned's grammar & and | bind alike, from left to right. */
  #either(): Truth {
    let truth = this.#term();
    while (this.#peek() === '&' || this.#peek() === '|') {
      const operator = this.#next();
      const other = this.#term();
      truth = truth === undefined || other === undefined ? undefined : operator === '&' ? truth && other : truth || other;
    }
    return truth;
  }

  #term(): Truth {
    if (this.#peek() === '!') {
      this.#next();
      const truth = this.#term();
      return truth === undefined ? undefined : !truth;
    }
    if (this.#peek() !== '(') return this.#comparison();
    this.#next();
    const truth = this.#either();
    if (this.#next() !== ')') this.#failed = true;
    return truth;
  }

  #comparison(): Truth {
    const name = unquoted(this.#next()).toUpperCase();
    const operator = this.#next();
    const value = unquoted(this.#next());
    const actual = this.#facts[name];
    if (actual === undefined) return false; // of what a host does not have, nothing holds, not even that it is different
    if (operator === '=') return matches(actual, value);
    if (operator === '!=') return !matches(actual, value);
    if (operator === '>') return Number(actual) > Number(value);
    if (operator === '<') return Number(actual) < Number(value);
    if (operator === '@>') return actual.split(',').includes(value);
    this.#failed = true;
    return undefined;
  }

  #peek(): string | undefined {
    return this.#tokens[this.#at];
  }

  #next(): string {
    const token = this.#tokens[this.#at];
    this.#at += 1;
    if (token === undefined) this.#failed = true;
    return token ?? '';
  }
}

const unquoted = (token: string): string => token.replace(/^"(.*)"$/s, '$1');

function matches(actual: string, wanted: string): boolean {
  const pattern = wanted.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
  return new RegExp(`^${pattern}$`, 's').test(actual);
}
