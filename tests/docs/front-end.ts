import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { TestSimulator } from '@onevault/one-sim/testing';
import type { Answered } from './answered-commands.ts';

type Command = (cloud: TestSimulator, words: readonly string[]) => Promise<string>;

/** What pages have somebody type on the front-end, as oneadmin: the arguments and the answers of OpenNebula's own commands, for the simulator. */
const COMMANDS: Readonly<Record<string, Command>> = {
  'oneuser create': async ({ sim }, [name = '', password = '', ...flags]) => {
    const group = flags[flags.indexOf('--group') + 1] ?? 'users';
    return `ID: ${(await sim.control.createUser({ name, password, group })).userId}`;
  },
  'oneuser show': async (cloud, [name = '']) => `ID              : ${await userId(cloud, name)}`,
  'oneuser passwd': async (cloud, [name = '', password = '']) => {
    await cloud.must('one.user.passwd', Number(await userId(cloud, name)), password);
    return '';
  },
  'onevm lock': async (cloud, [name = '']) => locked(cloud, 'one.vm.lock', name, 1, false),
  'onevm unlock': async (cloud, [name = '']) => locked(cloud, 'one.vm.unlock', name),
  'onevm update': async (cloud, [name = '', file = '', flag = '', cwd = '']) => {
    await cloud.must('one.vm.update', await vmId(cloud, name), await readFile(resolve(cwd, file), 'utf8'), flag === '--append' ? 1 : 0);
    return '';
  },
  'oneacl create': async (cloud, [rule = '']) => {
    const [, id, grant = ''] = /^#(\d+) (.*)$/.exec(rule) ?? [];
    return `ID: ${await cloud.sim.control.grant(nameOf(await pool(cloud), id ?? 'nobody'), grant)}`;
  },
};

async function locked(cloud: TestSimulator, method: string, name: string, ...level: readonly (number | boolean)[]): Promise<string> {
  await cloud.must(method, await vmId(cloud, name), ...level);
  return '';
}

async function vmId({ sim }: TestSimulator, name: string): Promise<number> {
  return (await sim.control.state()).vms.find((vm) => vm.name === name)?.id ?? -1;
}

const pool = ({ must }: TestSimulator): Promise<string> => must('one.userpool.info');

async function userId(cloud: TestSimulator, name: string): Promise<string> {
  return userOf(await pool(cloud), (user) => user.name === name).id;
}

const nameOf = (xml: string, id: string): string => userOf(xml, (user) => user.id === id).name;

function userOf(xml: string, isIt: (user: { readonly id: string; readonly name: string }) => boolean): { readonly id: string; readonly name: string } {
  const users = [...xml.matchAll(/<USER><ID>(\d+)<\/ID>.*?<NAME>([^<]*)<\/NAME>/gs)].map(([, id = '', name = '']) => ({ id, name }));
  const found = users.find(isIt);
  if (found === undefined) throw new Error('Error getting user');
  return found;
}

export function frontEnd(cloud: TestSimulator): Readonly<Record<string, Answered>> {
  return Object.fromEntries(Object.entries(COMMANDS).map(([name, command]) => [name, (words, cwd) => command(cloud, [...words, cwd])]));
}
