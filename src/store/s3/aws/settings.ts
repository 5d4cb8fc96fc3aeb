/**
 * The region, endpoint and certificate authorities from AWS's environment variables and files, used where the options do
 * not set them.
 *
 * The profile is the one that the credentials name, else `AWS_PROFILE`, else `default`. A `source_profile` only provides
 * credentials. The files are read once, on first use.
 */
import { MillraceError } from '../../../errors.js';
import type { BucketOptions } from '../../../config/s3Options.js';
import { readAwsFiles, type AwsFiles, type Env, type Section } from './files.js';

/** A value and where it was set, for error messages. */
export interface Configured {
  readonly value: string;
  readonly where: string;
}

export class AwsSettings {
  readonly profileName: string;
  /** Where the profile was named; `undefined` for the default one. */
  readonly namedBy: 'AWS_PROFILE' | 'the options' | undefined;
  // Private fields, so that the secrets in both are never printed.
  readonly #credentials: BucketOptions['credentials'];
  readonly #env: Env;
  #files: AwsFiles | undefined;

  constructor(credentials?: BucketOptions['credentials'], env: Env = process.env) {
    this.#credentials = credentials;
    this.#env = env;
    const given =
      typeof credentials === 'object' && 'provider' in credentials ? credentials.profile : undefined;
    const { AWS_PROFILE = '' } = env;
    this.profileName = given ?? (AWS_PROFILE === '' ? 'default' : AWS_PROFILE);
    this.namedBy = given !== undefined ? 'the options' : AWS_PROFILE === '' ? undefined : 'AWS_PROFILE';
  }

  /** A new instance that reads the files again. */
  reload(): AwsSettings {
    return new AwsSettings(this.#credentials, this.#env);
  }

  get files(): AwsFiles {
    return (this.#files ??= readAwsFiles(this.#env));
  }

  /** An environment variable; `undefined` if it is empty. */
  variable(name: string): string | undefined {
    const value = this.#env[name];
    return value === '' ? undefined : value;
  }

  /** The files that were read, for error messages. */
  get filesRead(): string {
    return this.files.read
      .map(({ path, failure }) =>
        failure === undefined
          ? path
          : `${path} (${failure === 'ENOENT' ? 'there is no such file' : failure})`,
      )
      .join(' or ');
  }

  get profile(): Section | undefined {
    return this.files.profiles.get(this.profileName);
  }

  /** Whether the instance metadata service must not be used. */
  get metadataDisabled(): boolean {
    const disabled = this.variable('AWS_EC2_METADATA_DISABLED');
    return disabled !== undefined && disabled.toLowerCase() !== 'false';
  }

  get region(): string | undefined {
    const region =
      this.#inVariable('AWS_REGION') ?? this.#inVariable('AWS_DEFAULT_REGION') ?? this.#inProfile('region');
    return region?.value;
  }

  /** PEM file of the trusted certificate authorities. */
  get caBundle(): Configured | undefined {
    return this.#inVariable('AWS_CA_BUNDLE') ?? this.#inProfile('ca_bundle');
  }

  /** In AWS's order: the service's and the global environment variable, then the same of the profile. Throws `InvalidS3Options`. */
  endpoint(service: Service): Configured | undefined {
    if (this.#ignoresEndpoints) return undefined;
    return (
      this.#inVariable(variableOf(service)) ??
      this.#inVariable('AWS_ENDPOINT_URL') ??
      this.#inServices(service) ??
      this.#inProfile('endpoint_url')
    );
  }

  /** The endpoint set for this service only. Throws `InvalidS3Options`. */
  ownEndpoint(service: Service): Configured | undefined {
    if (this.#ignoresEndpoints) return undefined;
    return this.#inVariable(variableOf(service)) ?? this.#inServices(service);
  }

  get #ignoresEndpoints(): boolean {
    const ignore =
      this.#inVariable('AWS_IGNORE_CONFIGURED_ENDPOINT_URLS') ??
      this.#inProfile('ignore_configured_endpoint_urls');
    return ignore?.value.toLowerCase() === 'true';
  }

  #inVariable(name: string): Configured | undefined {
    const value = this.variable(name);
    return value === undefined ? undefined : { value, where: name };
  }

  #inProfile(name: string): Configured | undefined {
    const value = this.profile?.get(name);
    return value === undefined ? undefined : { value, where: `${name} of the profile '${this.profileName}'` };
  }

  #inServices(service: Service): Configured | undefined {
    const name = this.profile?.get('services');
    if (name === undefined) return undefined;
    const section = this.files.services.get(name);
    if (section === undefined)
      throw new MillraceError(
        'InvalidS3Options',
        `S3 options: the profile '${this.profileName}' names the services section ${name}, which is not in ${this.files.read[0].path}. Add [services ${name}], or remove the setting.`,
      );
    const value = section.get(`${service}.endpoint_url`);
    return value === undefined
      ? undefined
      : { value, where: `endpoint_url of ${service} in [services ${name}]` };
  }
}

type Service = 's3' | 'sts';

function variableOf(service: Service): string {
  return `AWS_ENDPOINT_URL_${service.toUpperCase()}`;
}
