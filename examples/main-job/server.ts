/**
 * The embedded S3: the library's gateway over a local directory, in a process of its own, so that the store outlives
 * every kill as a real one would. Its one argument names the directory; it tells its parent the endpoint.
 */
import { startGateway } from 'millrace';

export interface ServerTask {
  readonly dir: string;
}

export interface ServerReady {
  readonly endpoint: string;
}

const { dir } = JSON.parse(process.argv[2] ?? '') as ServerTask;
