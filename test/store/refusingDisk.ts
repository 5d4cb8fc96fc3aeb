import { nodeDisk, type Disk } from '../../src/store/local/disk.js';

/** A step, and the end of the paths at which it is refused. */
export type Refused = readonly [step: keyof Disk, end: string];

/** A disk that refuses steps at paths as the system does; tests may run as root, which is permitted everything. */
export function refusingDisk(...refused: readonly Refused[]): Disk {
  return new Proxy(nodeDisk(false), {
    get: (target, name: keyof Disk) => {
      const step = target[name] as (...args: unknown[]) => unknown;
      if (typeof step !== 'function') return step;
      return (...args: unknown[]) =>
        refused.some(([method, end]) => method === name && String(args[0]).endsWith(end))
          ? Promise.reject(Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' }))
          : step.apply(target, args);
    },
  });
}
