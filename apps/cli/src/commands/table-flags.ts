import type { Command } from 'commander';
import type { TableOptions } from '../render/table.ts';

export interface TableFlags {
  readonly list?: string;
  readonly csv?: boolean;
  readonly header?: boolean;
}

/** The listing options of `one*`, the same on every list. */
export function addTableFlags(command: Command): Command {
  return command
    .option('-l, --list <columns>', 'columns to show, in this order: ID,NAME')
    .option('--csv', 'comma-separated values')
    .option('--no-header', 'rows only');
}

export function tableOptions(flags: TableFlags): TableOptions {
  return {
    ...(flags.list !== undefined && { list: flags.list }),
    ...(flags.csv !== undefined && { csv: flags.csv }),
    ...(flags.header !== undefined && { header: flags.header }),
  };
}
