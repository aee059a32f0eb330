import { z } from 'zod';
import type { Operation } from '../operation.ts';
import * as configuration from '../schemas/configuration.ts';

const reportQuery = z.object({ format: z.enum(['html', 'csv', 'json']).default('html') });
const REPORT_FILES = 'text/html, text/csv or application/json';

/** All settings at once, and reports. */
export const SETTINGS_OPERATIONS = [
  {
    id: 'exportSettings',
    method: 'get',
    path: '/settings',
    tag: 'settings',
    summary: 'everything that is set, as YAML, without secrets',
    role: 'admin',
    objects: 'role',
    answer: { status: 200, file: 'application/yaml' },
    audited: true,
  },
  {
    id: 'applySettings',
    method: 'post',
    path: '/settings',
    tag: 'settings',
    summary: 'make the settings what a YAML says, or show what that would change',
    role: 'admin',
    objects: 'role',
    body: configuration.settingsApply,
    bodyBytes: 2 * 1024 * 1024 + 4096,
    answer: { status: 200, body: configuration.settingsDiff },
  },
  {
    id: 'testNotification',
    method: 'post',
    path: '/notification-tests',
    tag: 'settings',
    summary: 'send a trial notification',
    role: 'admin',
    objects: 'role',
    body: configuration.notificationTest,
    answer: { status: 204 },
  },
  {
    id: 'protectionReport',
    method: 'get',
    path: '/reports/protection',
    tag: 'reports',
    summary: 'protection of every VM, the worst first',
    role: 'viewer',
    objects: 'filtered',
    query: reportQuery,
    answer: { status: 200, file: REPORT_FILES },
  },
  {
    id: 'sizesReport',
    method: 'get',
    path: '/reports/sizes',
    tag: 'reports',
    summary: 'what the restore points of each owner and each group take',
    role: 'viewer',
    objects: 'filtered',
    query: reportQuery,
    answer: { status: 200, file: REPORT_FILES },
  },
  {
    id: 'drillsReport',
    method: 'get',
    path: '/reports/drills',
    tag: 'reports',
    summary: 'test restores that were made, and VMs that never passed one',
    role: 'viewer',
    objects: 'filtered',
    query: reportQuery,
    answer: { status: 200, file: REPORT_FILES },
  },
  {
    id: 'metrics',
    method: 'get',
    path: '/metrics',
    tag: 'reports',
    summary: 'figures for Prometheus; scrape it with a token for this operation alone',
    role: 'admin',
    objects: 'role',
    answer: { status: 200, file: 'text/plain; version=0.0.4' },
  },
] as const satisfies readonly Operation[];
