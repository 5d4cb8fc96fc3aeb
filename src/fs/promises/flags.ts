import { constants } from 'node:fs';
import { argumentError, FsError, type Call } from './errors.js';

export type Mode = 'read' | 'write' | 'create';

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_TRUNC } = constants;

/** The mode of Node's flags: reading, replacing or creating. Throws `ENOTSUP` for others. */
export function modeOf(flags: string | number | undefined, call: Call): Mode {
  switch (flags) {
    case undefined:
    case 'r':
    case 'rs':
    case 'sr':
    case O_RDONLY:
      return 'read';
    case 'w':
    case O_WRONLY | O_CREAT | O_TRUNC:
      return 'write';
    case 'wx':
    case 'xw':
    case O_WRONLY | O_CREAT | O_EXCL:
    case O_WRONLY | O_CREAT | O_TRUNC | O_EXCL:
      return 'create';
  }
  if (typeof flags === 'string' && /^(?:a|ax|xa|as|sa)\+?$/.test(flags)) throw notAppendable(call);
  if (typeof flags === 'number' || /^(?:rs|sr|r|w|wx|xw)\+$/.test(flags)) {
    throw new FsError(
      'ENOTSUP',
      call,
      undefined,
      "An object is read, or written anew from its start. Open it with 'r', 'w' or 'wx'.",
    );
  }
  throw argumentError('ERR_INVALID_ARG_VALUE', `The argument 'flags' is invalid. Received '${flags}'`);
}

export function notAppendable(call: Call): FsError {
  return new FsError(
    'ENOTSUP',
    call,
    undefined,
    'Objects cannot be appended to. Write the whole anew, or write another object.',
  );
}
