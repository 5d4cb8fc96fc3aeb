import type { Agent } from 'node:http';
import type { Duration } from './units.js';

/** An access key, or the temporary keys of a session. */
export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** When they expire. A provider is called again shortly before. */
  readonly expiration?: Date;
}

/** How to find credentials, named as in other S3 tools. `PROFILE` may specify the profile: `{ provider: 'PROFILE', profile }`. */
export type CredentialProvider = 'AUTO' | 'ENV_VAR' | 'PROFILE' | 'ASSUME_ROLE' | 'ANONYMOUS';

/** A role that is assumed with the base credentials, and renewed before its session expires. */
export interface AssumeRoleOptions {
  readonly arn: string;
  readonly externalId?: string;
  /** Default `millrace-session`. */
  readonly sessionName?: string;
  /** 900 s to 12 h; a number is in seconds. Default 1 h. */
  readonly sessionDuration?: Duration;
  /** Default: the region's own STS endpoint on AWS, the S3 endpoint on other servers. */
  readonly endpoint?: string;
}

/** Server-side encryption of everything that is written: objects, uploads, copies, state, manifests, journals. */
export interface EncryptionOptions {
  /** Default `none`: the bucket's default; `sse-c` with a customer's key. */
  readonly type?: 'none' | 'sse-s3' | 'sse-kms' | 'sse-c';
  readonly kms?: {
    /** Key id, ARN or `alias/…`. Default: the account's key for S3. */
    readonly keyId?: string;
    /** Names and values that are bound to the data, and that key policies may require. */
    readonly encryptionContext?: Readonly<Record<string, string>>;
  };
  /** The customer's key of `sse-c`: 32 bytes, or their base64. It is sent with every request; objects cannot be read without it. */
  readonly customerKey?: string | Uint8Array;
  /** A file with this key. */
  readonly customerKeyFile?: string;
  /** Allows sending the key to an http server that is not on this machine. Default false. */
  readonly customerKeyOverHttp?: boolean;
}

/** Waits between attempts: uniform from 0 to base × 2^n. */
export interface S3RetryOptions {
  /** Retries after the first attempt. Default 3. */
  readonly maxRetries?: number;
  /** Default 100 ms. */
  readonly base?: Duration;
  /** The base if the server throttles (503 SlowDown, 429). Default 1 s. */
  readonly throttledBase?: Duration;
  /** The maximum wait. Default 20 s. */
  readonly cap?: Duration;
}

/** Options that may differ between buckets. */
export interface BucketOptions {
  /** Default: the AWS chain (`AWS_REGION`, `AWS_DEFAULT_REGION`, the profile, IMDS); `us-east-1` for a custom endpoint without one. */
  readonly region?: string;
  /** `http(s)://host[:port][/path]` of a server. Default: `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, `endpoint_url` of the profile, else AWS. */
  readonly endpoint?: string;
  /** Address buckets as `host/bucket` rather than `bucket.host`. Default: true with a custom endpoint. */
  readonly forcePathStyle?: boolean;
  /** Keys, a way to find them, or a function that provides them. Default `AUTO`: the AWS chain (environment, profile, SSO, container, instance). */
  readonly credentials?:
    | S3Credentials
    | CredentialProvider
    | { readonly provider: 'PROFILE'; readonly profile?: string }
    | (() => Promise<S3Credentials>);
  readonly assumeRole?: AssumeRoleOptions;
  readonly sse?: EncryptionOptions;
  /** Canned ACL of written objects, such as `bucket-owner-full-control`. Default: none is sent. */
  readonly acl?:
    | 'private'
    | 'public-read'
    | 'public-read-write'
    | 'authenticated-read'
    | 'aws-exec-read'
    | 'bucket-owner-read'
    | 'bucket-owner-full-control';
  /** Accepts that the requester pays, as Requester Pays buckets require. Default false. */
  readonly requesterPays?: boolean;
  /** URL of an HTTP proxy, with user and password if it requires them, or `none`. Default: `HTTPS_PROXY` for https servers, `HTTP_PROXY` for others. */
  readonly proxy?: string;
  /** PEM file of certificate authorities to trust in addition to Node's. Default: `AWS_CA_BUNDLE`, `ca_bundle` of the profile. */
  readonly caBundle?: string;
}

/** How to reach S3 servers. Everything has a default; AWS usually needs no configuration. */
export interface S3Options extends BucketOptions {
  /** Overrides by bucket name. `*.logs` matches all buckets whose names end in `.logs`; an exact name takes precedence, then the longest. */
  readonly buckets?: Readonly<Record<string, BucketOptions>>;
  /** For `s3x://` servers. Default `https`. */
  readonly endpointProtocol?: 'http' | 'https';
  /** Hosts that are reached without a proxy: names (including subdomains), addresses, networks; `*` for all. Default: `NO_PROXY`. */
  readonly noProxy?: string;
  /** Replaces our connections, and ignores `proxy` and `caBundle`. One agent for both schemes, or one for each. It is not closed. */
  readonly agent?: Agent | { readonly http?: Agent; readonly https?: Agent };
  /** AWS's dual-stack (IPv4 and IPv6) hosts. Default false. */
  readonly dualStack?: boolean;
  /** AWS's Transfer Acceleration hosts. Default false. */
  readonly accelerate?: boolean;
  /** The storage class of written objects: `STANDARD_IA`, `GLACIER_IR`, …. Default: the bucket's. */
  readonly storageClass?: string;
  /** Concurrent connections per endpoint. Default 50. */
  readonly maxSockets?: number;
  /** Additional connections reserved for manifests. Default 4. */
  readonly reservedSockets?: number;
  /** Time to establish a connection. Default 60 s. */
  readonly connectionTimeout?: Duration;
  /** Time without a byte in either direction before the response starts. Default 60 s. */
  readonly requestTimeout?: Duration;
  /** Time that a body may stall before the rest is requested again. Default 10 s. */
  readonly idleTimeout?: Duration;
  /** Time for a whole request, such as head, list and delete. Default 1 min. */
  readonly lowTimeout?: Duration;
  /** Time for a whole copy or Complete, which are slow. Default 5 min. */
  readonly highTimeout?: Duration;
  /** How often one read requests the rest of a body that stalled or broke off. Default 5. */
  readonly bodyResumes?: number;
  readonly retry?: S3RetryOptions;
  /** Bodies carry a checksum that the server verifies. Default: `crc32` on AWS, else `when-required`. */
  readonly checksum?: 'crc32' | 'crc32c' | 'crc64nvme' | 'md5' | 'when-required';
  /** Whole objects that are read are verified with the stored checksum. Default: true on AWS, else false. */
  readonly checksumValidation?: boolean;
  /** Bodies are sent as `aws-chunked`, with a trailing checksum. Default false. */
  readonly chunkedEncoding?: boolean;
  /** Whether the SHA-256 of a body is signed. Default: `unsigned` over https, which protects it, else `signed`. */
  readonly payloadSigning?: 'signed' | 'unsigned';
}
