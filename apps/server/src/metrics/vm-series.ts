import { labelText } from './label-text.ts';

/** VMs that get series of their own; a fleet beyond that is told by its sums, and by `onevault_metrics_vms_left_out`. */
export const MAX_VM_SERIES = 10_000;

/**
 * Gauges with a series for each VM, written as text at once: prom-client looks every series up by its labels, which for 5 000 VMs takes longer than all the rest
 * of a scrape.
 */
export class VmSeries {
  readonly #gauges = new Map<string, string[]>();

  /** Every gauge is declared, also one that has no series now. */
  declare(name: string, help: string): (vm: string, value: number) => void {
    const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`];
    this.#gauges.set(name, lines);
    return (vm, value) => lines.push(`${name}{${vm}} ${value}`);
  }

  text(): string {
    return [...this.#gauges.values()].map((lines) => `${lines.join('\n')}\n`).join('\n');
  }
}

export function vmLabels(id: number, name: string): string {
  return `vm_id="${id}",vm_name="${escaped(labelText(name))}"`;
}

export function withPolicy(vm: string, policy: string): string {
  return `${vm},policy="${escaped(policy)}"`;
}

/** A label's value in the text format: line feeds are gone by then. */
function escaped(value: string): string {
  return value.replace(/[\\"]/g, String.raw`\$&`);
}
