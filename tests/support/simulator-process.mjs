// A simulated OpenNebula in a process of its own, on built packages, as fast as it can be: node simulator-process.mjs DIRECTORY
import { startSimulator } from '@onevault/one-sim';

const OPERATIONS =
  'snapshot snapshotDelete revert saveas saveasReady attach detach resize allocate delete clone schedule deploy boot suspend resume poweroff stop terminate epilog react perGiBCopied';
const times = Object.fromEntries(OPERATIONS.split(' ').map((name) => [name, 0]));
const sim = await startSimulator({ dir: process.argv[2], times, durable: false });
process.on('SIGTERM', () => void sim.stop());
process.stdout.write(`${JSON.stringify({ endpoint: sim.endpoint.href, session: `${sim.user}:${sim.password}`, dir: sim.dir })}\n`);
