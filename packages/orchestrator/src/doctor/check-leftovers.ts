import type { CallOptions } from '@onevault/base';
import type { OneApi } from '@onevault/one-client';
import type { JournalStore } from '../journal.ts';
import { findLeftovers } from '../leftovers.ts';
import { type Checked, ok, trouble } from './finding.ts';

/** What runs that died have left in the cloud. */
export async function* checkLeftovers(cloud: OneApi, journals: JournalStore, options: CallOptions): Checked {
  const found = await findLeftovers(cloud, journals, options);
  for (const { runId, label } of found)
    yield trouble('leftovers', 'warning', 'LEFTOVER', label, `run ${runId} died and left it`, 'onevault recover takes it away; so does the next run');
  if (found.length === 0) yield ok('leftovers', 'LEFTOVERS_NONE', 'journals', 'no run that died has left anything in the cloud');
}
