import type { RetentionPolicyInput } from './policy.ts';

type RetentionTemplate = Omit<RetentionPolicyInput, 'timezone'>;

/** Policies that people come with from elsewhere; the zone is theirs to say. */
export const retentionTemplates: Readonly<Record<'last-7' | '7d-4w-12m' | 'gfs-7-4-12-3' | 'pbs-3-13-8-11-9' | 'storware-4x30d', RetentionTemplate>> = {
  'last-7': { keepLast: 7 },
  '7d-4w-12m': { keepDaily: 7, keepWeekly: 4, keepMonthly: 12 },
  'gfs-7-4-12-3': { keepDaily: 7, keepWeekly: 4, keepMonthly: 12, keepYearly: 3 },
  /** The worked example of Proxmox Backup Server's manual. There, each rule starts where the one before ended; here, all look at all points. */
  'pbs-3-13-8-11-9': { keepLast: 3, keepDaily: 13, keepWeekly: 8, keepMonthly: 11, keepYearly: 9 },
  /** "Keep last 4 backups" and "newer than 30 days". */
  'storware-4x30d': { keepLast: 4, keepWithin: '30d' },
};
