import type { GatewayOperation } from '../../src/store/gateway/index.js';

interface Statement {
  readonly Effect: string;
  readonly Action: readonly string[];
  readonly Resource: string | readonly string[];
}

export interface Policy {
  readonly Version: string;
  readonly Statement: readonly Statement[];
}

export const actionsOf = ({ Statement }: Policy): string[] =>
  [...new Set(Statement.flatMap(({ Action }) => Action))].sort();

function allows(given: readonly Policy[], action: string, resource: string): boolean {
  return given.some(({ Statement }) =>
    Statement.some(
      ({ Action, Resource }) =>
        Action.includes(action) &&
        [Resource].flat().some((pattern) => {
          const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
          return new RegExp(`^${parts.join('.*')}$`).test(resource);
        }),
    ),
  );
}

/** What S3 asks of IAM for a request (Amazon S3 User Guide, "Required permissions for Amazon S3 API operations"). */
const actionOf: Readonly<Partial<Record<GatewayOperation, string>>> = {
  HeadBucket: 's3:ListBucket',
  ListObjectsV2: 's3:ListBucket',
  ListMultipartUploads: 's3:ListBucketMultipartUploads',
  HeadObject: 's3:GetObject',
  GetObject: 's3:GetObject',
  PutObject: 's3:PutObject',
  CreateMultipartUpload: 's3:PutObject',
  UploadPart: 's3:PutObject',
  CompleteMultipartUpload: 's3:PutObject',
  ListParts: 's3:ListMultipartUploadParts',
  AbortMultipartUpload: 's3:AbortMultipartUpload',
  DeleteObjects: 's3:DeleteObject',
  GetBucketLifecycleConfiguration: 's3:GetLifecycleConfiguration',
};

/** What KMS is asked in the name of the caller (Amazon S3 User Guide, "Using server-side encryption with AWS KMS keys"). */
export const kmsActionsOf: Readonly<Partial<Record<GatewayOperation, readonly string[]>>> = {
  GetObject: ['kms:Decrypt'],
  PutObject: ['kms:GenerateDataKey'],
  CreateMultipartUpload: ['kms:GenerateDataKey'],
  UploadPart: ['kms:GenerateDataKey', 'kms:Decrypt'],
  CompleteMultipartUpload: ['kms:Decrypt'],
};

export interface Asked {
  readonly operation: GatewayOperation;
  readonly bucket: string;
  readonly key: string;
}

export const without = (from: Policy, action: string): Policy => ({
  ...from,
  Statement: from.Statement.map((one) => ({ ...one, Action: one.Action.filter((each) => each !== action) })),
});

const resourceOf = ({ bucket, key }: Asked): string => `arn:aws:s3:::${bucket}${key === '' ? '' : `/${key}`}`;

/** Whether the policies of the page do not let a request pass; a batch delete is judged by where the job keeps things. */
export function outside(given: readonly Policy[]): (asked: Asked) => boolean {
  return (asked) => {
    const action = actionOf[asked.operation];
    if (action === undefined) return true;
    const resource =
      asked.operation === 'DeleteObjects' ? `arn:aws:s3:::${asked.bucket}/checkpoints/x` : resourceOf(asked);
    return !allows(given, action, resource);
  };
}

export const actions = (asked: readonly Asked[]): string[] =>
  [...new Set(asked.map(({ operation }) => actionOf[operation] ?? operation))].sort();
