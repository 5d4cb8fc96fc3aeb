/**
 * Services provided by users, such as a pool of database connections, which operators, sources and sinks get by name
 * from the attempt. A run creates each at its first use, keeps it across restarts, and closes it at the end.
 */
import { errorFields, type Logger } from '../config/logger.js';
import { InvalidOption } from '../config/units.js';
import type { Service } from '../flow/index.js';

/** A service with its value, for `createJob`. Created by {@link provide}. */
export interface Provided {
  /** The service's name. */
  readonly name: string;
  readonly make: () => unknown;
  readonly close: (made: unknown) => unknown;
}

/**
 * Provides a service to the operators, sources and sinks of a job, for `createJob({ services: [provide(…)] })`.
 * `make` is called at the first use of the service, once per `job.run(…)`; an error it throws fails the attempt.
 * `close` is called when the run is over, and awaited if it returns a promise; its failure is logged.
 *
 * @example
 * ```ts
 * const pool = new Service<Pool>('pg');
 * const job = createJob({ name: 'copy', services: [provide(pool, () => new Pool(), (made) => made.end())] });
 * // in an operator's onOpen: open.attempt.use(pool)
 * ```
 *
 * Errors: `InvalidOption`, also for a name that begins with `millrace.`.
 */
export function provide<S>(
  service: Service<S>,
  make: () => S,
  close: (made: S) => unknown = () => undefined,
): Provided {
  const name: unknown = (service as Service<S> | undefined)?.name;
  if (typeof name !== 'string' || name === '' || name.startsWith('millrace.'))
    throw new InvalidOption('provide(service)', name, "a Service whose name does not begin with 'millrace.'");
  for (const [what, given] of Object.entries({ make, close }))
    if (typeof (given as unknown) !== 'function')
      throw new InvalidOption(`provide(service, ${what})`, given, 'a function');
  return { name, make, close: close as Provided['close'] };
}

/** The services of one run. */
export class RunServices {
  readonly #provided: ReadonlyMap<string, Provided>;
  readonly #made = new Map<string, unknown>();
  readonly #logger: Logger;

  constructor(provided: readonly Provided[], logger: Logger) {
    this.#provided = new Map(provided.map((each) => [each.name, each]));
    this.#logger = logger;
  }

  has(name: string): boolean {
    return this.#provided.has(name);
  }

  /** Creates the service at the first call. Rethrows errors of `make`; the next call tries again. */
  get(name: string): unknown {
    if (!this.#made.has(name)) this.#made.set(name, this.#provided.get(name)?.make());
    return this.#made.get(name);
  }

  /** Closes services in reverse order of creation. Never rejects. */
  async close(): Promise<void> {
    const made = [...this.#made].reverse();
    this.#made.clear();
    for (const [service, value] of made) {
      try {
        await this.#provided.get(service)?.close(value);
      } catch (error) {
        this.#logger.warn({ service, ...errorFields(error) }, 'A service could not be closed');
      }
    }
  }
}
