export { FakeClock } from './fake-clock.ts';
export { seededRandom } from './random.ts';
export {
  describeWith,
  type Requirement,
  requiresApplianceKernel,
  requiresCommand,
  requiresLoopDevice,
  requiresPythonModule,
  requiresRoot,
  testWith,
} from './requires.ts';
export { requiresTinyFileSystem, TinyFileSystem } from './tiny-file-system.ts';
