/** What tests of this workspace need from the machine; packages' own tests take it from the same place. */
// biome-ignore lint/performance/noBarrelFile: one place for tests of the workspace
export {
  describeWith,
  type Requirement,
  requiresApplianceKernel,
  requiresCommand,
  requiresLoopDevice,
  requiresPythonModule,
  requiresRoot,
  testWith,
} from '@onevault/base/testing';
