import type { AwsSettings } from '../aws/settings.js';
import type { Sts } from './sts.js';

/** What the places of the chain are asked with. */
export interface ChainContext extends Omit<Sts, 'base' | 'endpoint'> {
  readonly aws: AwsSettings;
}
