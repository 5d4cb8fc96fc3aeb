import { randomBytes } from 'node:crypto';
import type { S3Credentials } from '../s3/options.js';
import type { Reply } from './call.js';
import { GatewayError } from './errors.js';
import { document, type Xml } from './xml.js';

/** The gateway's STS. */
export interface StsOptions {
  /** The roles that may be assumed, by ARN. Default: none. */
  readonly roles?: Readonly<Record<string, { readonly externalId?: string }>>;
}

const namespace = 'https://sts.amazonaws.com/doc/2011-06-15/';

/** AssumeRole and GetSessionToken at the gateway's root, as in Ceph RGW. */
export class Sts {
  readonly #roles: ReadonlyMap<string, { readonly externalId?: string }>;
  readonly #now: () => number;
  readonly #admit: (session: S3Credentials) => void;
  #sessions: S3Credentials[] = [];

  /** `admit` makes the gateway accept a session's keys until they expire. */
  constructor(options: StsOptions, now: () => number, admit: (session: S3Credentials) => void) {
    this.#roles = new Map(Object.entries(options.roles ?? {}));
    this.#now = now;
    this.#admit = admit;
  }

  /** Expires every session. */
  endSessions(): void {
    for (const session of this.#sessions) this.#admit({ ...session, expiration: new Date(0) });
    this.#sessions = [];
  }

  answer(body: Buffer, caller: S3Credentials, requestId: string): Reply {
    const form = new URLSearchParams(body.toString());
    const action = form.get('Action') ?? '';
    let result: Xml;
    if (action === 'AssumeRole') result = this.#assumeRole(form);
    else if (action === 'GetSessionToken') result = this.#sessionToken(form, caller);
    else throw new GatewayError(400, 'InvalidAction', `There is no action '${action}' here.`);
    const response = { [`${action}Result`]: result, ResponseMetadata: { RequestId: requestId } };
    return { status: 200, xml: document(`${action}Response`, response, namespace) };
  }

  #assumeRole(form: URLSearchParams): Xml {
    const [arn, name] = [form.get('RoleArn') ?? '', form.get('RoleSessionName') ?? ''];
    const role = this.#roles.get(arn);
    if (role === undefined || (role.externalId ?? null) !== form.get('ExternalId'))
      throw new GatewayError(403, 'AccessDenied', `Not authorized to perform: sts:AssumeRole on ${arn}`);
    if (!/^[\w+=,.@-]{2,64}$/.test(name)) throw invalid('RoleSessionName');
    return {
      Credentials: this.#session(form, 3600, 43_200),
      AssumedRoleUser: { Arn: `${arn}/${name}`, AssumedRoleId: `GATEWAY:${name}` },
    };
  }

  #sessionToken(form: URLSearchParams, caller: S3Credentials): Xml {
    if (caller.sessionToken !== undefined)
      throw new GatewayError(403, 'AccessDenied', 'Cannot call GetSessionToken with session credentials');
    return { Credentials: this.#session(form, 43_200, 129_600) };
  }

  #session(form: URLSearchParams, fallback: number, most: number): Xml {
    const seconds = Number(form.get('DurationSeconds') ?? fallback);
    if (!Number.isInteger(seconds) || seconds < 900 || seconds > most) throw invalid('DurationSeconds');
    const session = {
      accessKeyId: `ASIA${randomBytes(8).toString('hex').toUpperCase()}`,
      secretAccessKey: randomBytes(30).toString('base64'),
      sessionToken: randomBytes(90).toString('base64'),
      expiration: new Date(Math.floor(this.#now() / 1000 + seconds) * 1000),
    };
    this.#sessions.push(session);
    this.#admit(session);
    return {
      AccessKeyId: session.accessKeyId,
      SecretAccessKey: session.secretAccessKey,
      SessionToken: session.sessionToken,
      Expiration: session.expiration.toISOString(),
    };
  }
}

/** STS's error documents differ from S3's. */
export function stsErrorReply({ status, code, message }: GatewayError, requestId: string): Reply {
  const content = { Error: { Type: 'Sender', Code: code, Message: message }, RequestId: requestId };
  return { status, xml: document('ErrorResponse', content, namespace) };
}

function invalid(name: string): GatewayError {
  return new GatewayError(400, 'ValidationError', `The value of ${name} is not valid.`);
}
