import { describe, test } from 'vitest';
import { findConnection, vmId } from '../src/index.ts';
import { announce, type OneCloud, oneApiContract } from '../testing/index.ts';

/**
 * The contract against a real OpenNebula, when it is asked for: ONEVAULT_REAL=1, endpoint and credentials as for the `one*` commands (ONE_XMLRPC,
 * ONE_AUTH), and the ids of a disposable VM and a proxy, ONEVAULT_REAL_VM and ONEVAULT_REAL_PROXY; see `OneCloud` for what they must be. It says what
 * it will touch before it does; with ONEVAULT_REAL=announce it ends there.
 */
const asked = process.env['ONEVAULT_REAL'];

async function announced(): Promise<OneCloud> {
  const cloud = await realCloud();
  const { lines, objections } = await announce(cloud);
  process.stderr.write(`${['', ...lines, ''].join('\n')}\n`);
  if (objections.length > 0) throw new Error(`the contract cannot start: ${objections.join('; ')}`);
  return cloud;
}

describe.skipIf(asked !== '1')('with ONEVAULT_REAL=1', () => {
  oneApiContract('a real OpenNebula', announced);
});

test.skipIf(asked !== 'announce')('what ONEVAULT_REAL=1 would touch, without touching it', async () => {
  await using _cloud = await announced();
});

async function realCloud(): Promise<OneCloud> {
  const { endpoint, session, http } = await findConnection(process.env);
  return {
    endpoint,
    session,
    client: { http },
    vm: vmId(required('ONEVAULT_REAL_VM')),
    proxyVm: vmId(required('ONEVAULT_REAL_PROXY')),
    operationTimeoutMs: 600_000,
    complete: false,
    maySpoilVm: false,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

function required(name: string): number {
  const value = process.env[name];
  if (value === undefined || !/^\d+$/.test(value)) throw new Error(`set ${name} to the id of a VM that the contract may use`);
  return Number(value);
}
