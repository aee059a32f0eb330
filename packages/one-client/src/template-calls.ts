import type { OneApi } from './api.ts';
import type { CallDeps } from './caller.ts';
import { methods } from './methods.ts';
import { templateId, vmId } from './model.ts';
import { parseTemplate } from './parse-infrastructure.ts';
import { pagedPool } from './pool.ts';

type TemplateCalls = Pick<OneApi, 'allocateTemplate' | 'template' | 'templates' | 'instantiateTemplate' | 'deleteTemplate'>;

const POOL = { pool: 'VMTEMPLATE_POOL', child: 'VMTEMPLATE', parse: parseTemplate } as const;

export function templateCalls(deps: CallDeps): TemplateCalls {
  const { call } = deps;
  return {
    allocateTemplate: async (template, options) => templateId(await call(methods.templateAllocate, [template], options)),
    template: async (id, options) => parseTemplate(await call(methods.templateInfo, [id], options)),
    templates: (options) => pagedPool(POOL, (offset, count) => call(methods.templatePoolInfo, [offset, count], options), deps),
    instantiateTemplate: async (id, name, options = {}) =>
      vmId(await call(methods.templateInstantiate, [id, name, options.hold ?? false, options.extra ?? ''], options)),
    async deleteTemplate(id, options) {
      await call(methods.templateDelete, [id], options);
    },
  };
}
