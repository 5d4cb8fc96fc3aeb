/** How servers are reached: directly or through a proxy, the trusted certificates, and the user's agents. */
import type { Agent } from 'node:http';
import type { SecureContext } from 'node:tls';
import type { S3Options } from '../../config/s3Options.js';
import { MillraceError } from '../../errors.js';
import type { AwsSettings } from './aws/settings.js';
import { proxiesOf } from './proxy/proxies.js';
import { trusted } from './trust.js';

export interface Transport {
  /** Throws `InvalidS3Options`. */
  readonly proxyFor: ReturnType<typeof proxiesOf>;
  /** Throws `InvalidS3Options`. */
  readonly trust: () => SecureContext | undefined;
  /** The user's own agent, which replaces proxy and certificates. */
  readonly agentFor: (scheme: 'http' | 'https') => Agent | undefined;
}

type Options = Pick<S3Options, 'proxy' | 'noProxy' | 'caBundle' | 'agent'>;

/** Files are read on the first connection. */
export function transportOf(options: Options, aws: AwsSettings): Transport {
  const { agent } = options;
  let trust: { readonly context: SecureContext | undefined } | undefined;
  return {
    proxyFor: proxiesOf(options, (name) => aws.variable(name)),
    trust: () => (trust ??= { context: trusted(options.caBundle, aws) }).context,
    agentFor: (scheme) => (agent === undefined || isAgent(agent) ? agent : agent[scheme]),
  };
}

/** Whether a server is reached without a proxy or a user's agent. */
export function isDirect({ agentFor, proxyFor }: Transport, endpoint: string): boolean {
  const { protocol, hostname, port } = new URL(endpoint);
  try {
    const agent = agentFor(protocol === 'https:' ? 'https' : 'http');
    return (
      (agent ?? proxyFor({ protocol, hostname, port: port === '' ? undefined : Number(port) })) === undefined
    );
  } catch {
    return false; // the request itself will fail with this error
  }
}

/** With fewer sockets in the user's agent, manifests would wait for uploads. Throws `InvalidS3Options`. */
export function checkAgent({ agent }: Options, sockets: number): void {
  if (agent === undefined) return;
  for (const each of isAgent(agent) ? [agent] : [agent.http, agent.https]) {
    if (each === undefined || each.maxSockets >= sockets) continue;
    throw new MillraceError(
      'InvalidS3Options',
      `S3 options: agent has ${each.maxSockets} sockets for a server, and ${sockets} requests may be in flight (maxSockets and reservedSockets): raise the one or lower the other.`,
    );
  }
}

function isAgent(value: NonNullable<Options['agent']>): value is Agent {
  return 'addRequest' in value;
}
