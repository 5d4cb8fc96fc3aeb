import type { Clock } from '../../flow/index.js';

/** The name of the folder of a new savepoint. Names sort by time, and each is used once. */
export function newSavepointName(job: string, clock: Pick<Clock, 'now'>, random: () => number): string {
  const time = new Date(clock.now()).toISOString().replace(/[-:]|\.\d+/g, '');
  const unique = Array.from({ length: 6 }, () => letters.charAt(Math.floor(random() * 36))).join('');
  return `savepoint-${job}-${time}-${unique}`;
}

const letters = 'abcdefghijklmnopqrstuvwxyz0123456789';

/** Whether a folder is named like a new savepoint. */
export function isSavepointName(name: string): boolean {
  return /^savepoint-[\w.-]+-\d{8}T\d{6}Z-[a-z0-9]{6}$/.test(name);
}

/** The last name of a folder's key. */
export function folderName(key: string): string {
  return /([^/]*)\/*$/.exec(key)?.[1] ?? '';
}
