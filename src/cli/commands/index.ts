import type { Command } from 'commander';
import type { Start } from '../session.js';
import { cat } from './cat.js';
import { config } from './config.js';
import { cp } from './cp.js';
import { doctor } from './doctor.js';
import { du } from './du.js';
import { ls } from './ls.js';
import { mv } from './mv.js';
import { probe } from './probe.js';
import { rm } from './rm.js';
import { savepoint } from './savepoint.js';
import { stat } from './stat.js';
import { state } from './state.js';
import { uploads } from './uploads.js';

/** Adds a command to the program. */
export type AddCommand = (program: Command, start: Start) => void;

/** In the order of the help text. */
export const commands: readonly AddCommand[] = [
  ...[ls, cat, cp, mv, rm, stat, du],
  ...[probe, uploads, doctor, state, savepoint, config],
];
