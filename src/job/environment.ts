import type { Coordinator } from '../checkpoint/index.js';
import type { Config } from '../config/config.js';
import { config as configService } from '../config/service.js';
import { MillraceError } from '../errors.js';
import { memory, outflows, type Attempt, type Clock, type Service } from '../flow/index.js';
import { allKeyGroups, ownKeyGroups, type KeyGroupRange } from '../state/index.js';
import type { CreditLedger } from '../sources/creditLedger.js';
import {
  checkpointData,
  checkpointFolders,
  stores as storesService,
  type CheckpointFolder,
  type Stores,
} from '../store/services.js';
import { checkpointPlace } from './checkpointPlace.js';
import { reported, type JobEvent } from './events.js';
import type { Origins } from './failure.js';
import type { MemoryAccount, MemoryBudget } from './memory/index.js';
import type { Opening } from './opening.js';
import type { RunServices } from './services.js';

/** A job's access to the outside world. Injected as a whole, so that tests and simulations control it. */
export interface Environment {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly stores: Stores;
  readonly config: Config;
  /** Of the process. */
  readonly memory: MemoryBudget;
  /** Provided by the user. */
  readonly services?: RunServices | undefined;
}

/** The job of an attempt, as its operators see it. */
export interface AttemptContext {
  readonly name: string;
  readonly environment: Environment;
  readonly checkpoints: { readonly dir: string };
  readonly keyGroups?: KeyGroupRange | undefined;
  readonly emit: (event: JobEvent) => void;
}

/** The directories of the job's checkpoints, where nothing else may be written. */
export function checkpointFoldersOf(
  { name, environment, checkpoints }: Pick<AttemptContext, 'name' | 'environment' | 'checkpoints'>,
  { prefixes }: Pick<Coordinator, 'prefixes'>,
): readonly CheckpointFolder[] {
  const { location, directory } = checkpointPlace(environment, checkpoints.dir, name);
  // The directory also has checkpoints of other jobs. A whole bucket is not reserved.
  const all = directory === '' ? prefixes : [directory, ...prefixes];
  return all.map((prefix) => ({ location, prefix }));
}

/** The attempt that operators see: the coordinator, the ledger and the environment behind one small interface. */
export function attemptOf(
  { name: job, environment, checkpoints, keyGroups = allKeyGroups, emit }: AttemptContext,
  coordinator: Coordinator,
  ledger: CreditLedger,
  opening: Opening,
  origins: Origins,
  account: MemoryAccount,
): Attempt {
  // Looked up by name, because an operator may come from another copy of millrace.
  const services = new Map<string, unknown>([
    [storesService.name, environment.stores],
    [configService.name, environment.config],
    [checkpointData.name, coordinator.data],
    [checkpointFolders.name, checkpointFoldersOf({ name: job, environment, checkpoints }, coordinator)],
    [memory.name, account],
    [outflows.name, ledger],
    [ownKeyGroups.name, keyGroups],
  ]);
  return {
    job,
    jobId: coordinator.jobId,
    epoch: coordinator.epoch,
    clock: environment.clock,
    random: environment.random,
    use<S>(service: Service<S>): S {
      const { services: own } = environment;
      if (own?.has(service.name) === true) return own.get(service.name) as S;
      if (!services.has(service.name)) {
        if (service.fallback !== undefined) return service.fallback();
        throw new MillraceError(
          'UnknownService',
          `This job has no service '${service.name}'. Provide it: createJob({ services: [provide(…)] }).`,
        );
      }
      return services.get(service.name) as S;
    },
    register: (participant) => {
      coordinator.register(participant);
    },
    restored: (id) => coordinator.restored(id),
    opening: (operator) => {
      opening.holds(operator);
    },
    opened: (operator) => {
      opening.passed(operator);
    },
    running: (work) => {
      opening.whenDone(work);
    },
    terminal: (terminal, sources) => {
      ledger.terminal(terminal, sources);
      if (typeof terminal === 'object') opening.ended(terminal);
    },
    release: (terminal, credit) => {
      ledger.release(terminal, credit);
    },
    confirm: (id, uid) => {
      coordinator.confirm(id, uid);
    },
    amend: (id, committable, alone) => {
      coordinator.amend(id, committable, alone);
    },
    failing: (error, operator, ofRecord) => {
      origins.note({ error, operator, ofRecord });
    },
    report: (event) => {
      emit(reported(event));
    },
  };
}
