/**
 * What each code of an error means, and what to do: by the room that raises it. `docs/errors.md` is generated from it, and
 * `errors.test.ts` holds it to the source.
 */
export const errorCatalog: Readonly<
  Record<string, Readonly<Record<string, readonly [means: string, todo: string]>>>
> = {
  config: {
    InvalidConfig: [
      'Keys of the configuration are unknown, malformed or contradict each other',
      'Fix the keys: `problems` lists all of them',
    ],
    InvalidOption: [
      'An option given in code has a wrong name or value',
      'Fix the option: the message gives its name, its value and the rule',
    ],
  },
  flow: {
    CopiedSignal: ['A plain RxJS operator copied a signal', 'Lift the operator with `records(…)`'],
    ForeignName: [
      'A checkpoint names an object, a place or a number that this job may not touch',
      'Restore the checkpoint from a backup, and find out who can write to the checkpoint directory. For a sink that moved, list its former URIs in `earlier`',
    ],
    NotOpened: [
      'A record arrived before `Open`',
      'Give the flow to `job.run(…)`, and lift plain operators with `records(…)`',
    ],
    ObservableInFlow: [
      'A callback of a flow returned an Observable',
      'Emit its values: use `concatMap` or `mergeMap` instead of `map`',
    ],
    OpenedTwice: ['Two flows were joined by a plain RxJS operator', 'Use `mergeFlows(…)`'],
    PlainOperator: [
      'A plain RxJS operator was applied to a flow',
      'Lift it with `records(…)`, or leave the flow with `values()`',
    ],
    PromiseInFlow: [
      'A callback of a flow returned a promise',
      'Return the value itself. Do asynchronous work after `values()`',
    ],
    RecordAfterEnd: [
      'A record came after the last barrier',
      'Lift the operator that sent it with `records(…)`',
    ],
    UnknownSignal: [
      'A signal comes from another version of millrace',
      'Use one version in the process: `npm ls millrace` lists the copies',
    ],
  },
  store: {
    AlreadyExists: ['A conditional write found an object', 'Choose another key, or read what is there'],
    Conflict: ['The server was changing the same object', 'Try again'],
    CorruptJournal: [
      'The bytes of a journal are not those that were written',
      'Restore the object from a version or backup of the bucket',
    ],
    Expired: ['The credentials or the session have expired', 'Provide credentials that are renewed'],
    ForeignObject: [
      'Another writer has an object where a file was committed',
      'Move it away, and keep other writers out of the folder',
    ],
    Integrity: [
      'Bytes do not match their checksum or length',
      'Retry; if it keeps failing, restore the object',
    ],
    InvalidCredentials: [
      'A provider of credentials returned something that is not credentials',
      'Return `accessKeyId` and `secretAccessKey`, and `sessionToken` and `expiration` where they apply',
    ],
    InvalidPart: [
      'A part of an upload is missing, has another ETag, or may not be left out',
      'Upload the part again',
    ],
    InvalidRequest: [
      'The server or the store refuses the request as malformed',
      'Fix what the message names',
    ],
    InvalidS3Options: [
      'Options of an S3 connection are malformed or contradict each other',
      'Fix the option that the message names',
    ],
    LostJournal: [
      'A journal that a checkpoint needs is gone',
      'Restore the object; exempt its folder from lifecycle rules that delete',
    ],
    LostUpload: [
      'A committed file is neither an upload nor an object',
      "Lengthen the lifecycle rule that aborts uploads; where consumers remove files, set `onMissingCommitted: 'accept'`",
    ],
    NoAnswer: [
      'A store of yours, or a decorator, completed a request without an answer',
      'Make it emit one answer, or an error',
    ],
    NoChannel: [
      'Session tokens cannot be handed to this process',
      "Start it with `fork`, or with an `'ipc'` channel",
    ],
    NoTokens: [
      'No session token came',
      'Enable the token provider, or give the worker credentials of its own',
    ],
    NotFound: ['There is no such object, bucket or upload', 'Check the URI'],
    NotModified: ['A conditional read found the version that the caller has', 'Use that version'],
    NotSupported: ['The store cannot do this', 'Do what the message proposes'],
    PermissionDenied: [
      'The store refuses access',
      'Grant the action that the message names, or fix the credentials',
    ],
    PreconditionFailed: ['The object is not the requested version', 'Read it again'],
    ReaderClosed: ['The reader is closed', 'Open the object again'],
    RegionMissing: ['No AWS region is known', 'Set `s3.region` or AWS_REGION'],
    TemporaryCredentials: [
      'Session tokens cannot be obtained with temporary credentials',
      'Use the access key of a user, or let workers assume the role',
    ],
    Throttled: ['The store asks for fewer requests', 'Wait and try again'],
    TooSmall: ['A part of an upload is smaller than the store allows', 'Use larger parts'],
    Unavailable: ['The store did not answer, or failed', 'Try again; check network and endpoint'],
  },
  formats: {
    AsyncSchema: [
      'A schema validates asynchronously',
      'Use a synchronous schema, or validate after `values()`',
    ],
    IncompatibleSchema: [
      'An Avro file cannot be read with the schema of the reader',
      'Give new fields a default, or leave the file out',
    ],
    NotAvro: ['A record does not fit the Avro schema', 'Map it to the schema before the sink'],
    NotBytes: ['A record that `bytes()` is to write is not a Uint8Array', 'Map it before the sink'],
    NotCsv: [
      'A record has no form in CSV',
      'Map it to an object or an array of plain values before the sink',
    ],
    NotJson: ['A record has no JSON form', 'Map it to plain data before the sink'],
    NotParquet: [
      'A record does not fit the schema of `parquet()`',
      'Map it before the sink, or change the type of the column',
    ],
    NotText: ['A record that `text()` is to write is not a string', 'Map it before the sink'],
    RowGroupTooLarge: [
      'The columns that are read of a row group of a Parquet file are larger than `maxRowGroup`',
      'Read fewer columns, raise `maxRowGroup`, or write smaller row groups',
    ],
    TooLong: [
      'A record that `lengthPrefixed()` is to write is longer than `max`, or than its length can express',
      'Raise them, or split it',
    ],
    NotUtf8: ['The input is text in another encoding', 'Convert it to UTF-8'],
    UnknownCodec: [
      'The input is compressed in a way that has no codec, or is not text',
      'Recompress it with gzip, leave it out, or read it with `bytes()`',
    ],
    UnknownColumn: [
      'A Parquet file does not have a column that is to be read',
      'Correct `columns`, or leave the file out',
    ],
    WrongColumnType: [
      'A column of a Parquet file has another type than the schema with which it is read',
      'Correct the schema, or leave the column or the file out',
    ],
  },
  path: {
    AbsoluteAndRelative: [
      'No path leads from an absolute path to a relative one, or back',
      'Use `toAbsolute()` on both',
    ],
    DifferentBuckets: ['Two paths that must be in one bucket are not', 'Use URIs'],
    IndexOutOfRange: ['The path has no such name', 'Check against `nameCount`'],
    InvalidGlob: ['A glob is malformed', 'Put a backslash before characters that are meant literally'],
    InvalidPath: ['The string is not a path', 'Fix the string'],
    InvalidPattern: [
      'A pattern has no syntax prefix, or its regular expression is malformed',
      'Write `glob:…` or `regex:…`',
    ],
    InvalidUri: ['The string is not the URI of an object', 'Fix the URI'],
    UnknownScheme: ['The scheme of a URI is unknown', 'Use s3, s3a, s3x, file or memory'],
  },
  state: {
    EntryCorrupt: [
      'An exported object of state is not what was written',
      'Export the state again, to an empty folder',
    ],
    EntryForeign: [
      'The folder of an export has an object that is not part of it',
      'Remove the object that the message names',
    ],
    EntryMissing: ['An export of state lacks an object', 'Export the state again, to an empty folder'],
    ExportIncomplete: [
      'An export of state was interrupted, or is still running',
      'Export the state again, to an empty folder',
    ],
    FolderNotEmpty: [
      'The folder that state is to be exported or imported to has objects',
      'Use another folder, or remove this one first',
    ],
    InvalidState: ['A state is declared in a way that cannot work', 'Fix the declaration'],
    KeyOutsideRange: [
      'A record came to a job that does not have the state of its key group; or an operator with one state for all records is in a job with `keyGroups`',
      'Send each record to the job that has its key group: `keyGroupOf(key)`; use an operator by key',
    ],
    SegmentCorrupt: [
      'The bytes of a segment are not those that were written',
      'Restore the object from a version or backup of the bucket',
    ],
    SegmentMissing: [
      'A segment that a checkpoint needs is gone',
      'Restore the object from a version or backup of the bucket; exempt the checkpoint directory from lifecycle rules that delete',
    ],
    SegmentTooNew: ['A later version of millrace wrote the segment', 'Run that version, or a later one'],
    SerializerMissing: [
      'A state was opened from outside without its declaration, and was written by a custom serializer, or is of an unknown kind',
      'Pass the declaration to openState: `states`',
    ],
    StateNotFound: [
      'The URI, operator or state that was opened from outside does not exist',
      'Use one of those that the message names',
    ],
    StateOvertaken: [
      'The job has deleted data of the checkpoint that is read from outside',
      'Open its state again; for long reads use a savepoint, or keep more checkpoints',
    ],
    StateOutsideTurn: ['A state was used after `onRecord` had returned', 'Use it only during the call'],
    StateSchemaMismatch: [
      'The stored state and the declared one do not fit',
      'Restore the declaration, use `formerly` and `allowDropped`, or give the operator a new id',
    ],
    TooManyKeys: [
      'A state has 16,777,216 keys',
      'Clear keys that are no longer needed, or split the keys over several `keyed(…)`',
    ],
    UnsupportedKey: [
      'A key has no canonical encoding',
      'Return a string, number, bigint, boolean, null, date, or an array or plain object of these',
    ],
    UnsupportedValue: [
      'A value cannot be stored by the serializer of its state',
      'Keep plain data, or give the state a `serializer`',
    ],
  },
  operators: {
    AsyncInRecords: [
      'An operator inside `records(…)` emitted after the turn of its record',
      'Use synchronous operators there, and asynchronous ones after `values()`',
    ],
    BadTimestamp: [
      'The `timestamp` of `watermarks` returned something that is not a time',
      'Return a date or milliseconds since the epoch, and filter out records without a time before',
    ],
    EarlyInRecords: [
      'An operator inside `records(…)` emitted before the first record',
      'Read those records from a source, and join it with `mergeFlows(…)`',
    ],
    Misaligned: ['The inputs of `mergeFlows(…)` carry different barriers', 'Merge flows of one job only'],
    NotIterable: [
      '`onRecord` returned something that is not iterable',
      'Return an array; `[]` for no records',
    ],
    StoppedInRecords: [
      'An operator inside `records(…)` stopped without completing or failing',
      'Replace recursion with a loop or with `mergeMap` over an array',
    ],
  },
  sources: {
    BadDecoderState: [
      'The state of a decoder is not JSON, is larger than 64 KiB, or is rejected by its own `isState`',
      'Correct the format, or use one with less state',
    ],
    BadPosition: [
      'The checkpoint holds a position that this source cannot use',
      'Give a changed source a new id, or start the job under another name',
    ],
    DecompressionBomb: [
      'A compressed object has far more content than stored bytes',
      'Leave it out, or raise `maxExpansion` if the content is meant',
    ],
    InputFailed: [
      'The input of `fromReplayable` could not be opened or read',
      'See its cause; set `retryable` if the job should restart after such an error',
    ],
    MalformedRecord: [
      'A record cannot be parsed',
      "Fix the input, or set `onMalformed` to `'skip'` or `deadLetter(…)`",
    ],
    MissingBucket: [
      'The bucket of the input, or of the checkpoint directory, does not exist',
      'Create it, or fix the URI',
    ],
    NoDeadLetters: [
      'A source of your own has a dead letter flow that nothing subscribes to',
      'Use the source by `job.source(…)`',
    ],
    HorizonFull: [
      'A continuous source has read more recent objects than a checkpoint may hold',
      'Shorten `discover.longestUpload`, or write fewer and larger objects',
    ],
    NoInput: ['The URI matches no object', 'Fix the URI, or set `allowEmpty`'],
    NotReplayable: [
      'A job restarted, and its input is an iterable or a stream that can be read only once',
      'Pass a function that opens it for each attempt, or use `fromReplayable(…)`',
    ],
    ObjectChanged: [
      'An object was replaced while it was read',
      'Input of a job: restore the version, or start the job under a new name. `openObject`: open it again',
    ],
    ObjectVanished: [
      'An input object was deleted before it was read to its end',
      "Restore this version of it; or start the job with `vanished: 'skip'` of the source",
    ],
    SourceOverflow: [
      'An Observable emits faster than the job reads',
      "Slow it down, raise `buffer`, or set `overflow` to `'drop-oldest'` or `'drop-newest'`",
    ],
    SourceStuck: [
      'A source was polled again and again without progress',
      "Let its reader answer `'wait'` until there is more, and `'end'` at the end",
    ],
    UnorderedListing: ['The store lists keys out of order', 'Use a store that lists as S3 does'],
    UnreadableInput: [
      'Something in a local directory cannot be read',
      "Remove it, or set `unreadable: 'skip'`",
    ],
  },
  sinks: {
    FormatChanged: [
      'A checkpoint holds rows of a file in a form that the format of the sink does not read',
      'Start the job with the former format and stop it',
    ],
    HttpRefused: [
      'An HTTP endpoint answers that the request is wrong, and not its records: no access, no such address, a redirect. Or `headers` failed',
      'Check the URL and the credentials in `headers`',
    ],
    InvalidCommittable: [
      'A manifest holds a committable that this version cannot read',
      'Run the version that wrote it',
    ],
    InvalidPartition: [
      '`partitionBy` returned something that cannot be a folder',
      'Return a Unicode string without NUL and without the names `.` and `..`, and not a folder of the checkpoint directory; from `timestamp` of `byTime`, a time of the years 1 to 9999, or null',
    ],
    LowerEpoch: [
      'The target of an outbox has seen a later attempt of the job: another process has taken over',
      'Stop this process. If there is no other one, the log was restored from a backup that is older than the target: see `TargetAhead`',
    ],
    NeedsCheckpoints: [
      'A sink that publishes what checkpoints hold is in `bounded`, which has none',
      'Use `createJob` with a checkpoint directory',
    ],
    PartitionTooLong: [
      'A partition makes a key that is longer than 1,024 bytes',
      'Return a shorter string from `partitionBy`',
    ],
    PoisonBatch: [
      'The target of an outbox refuses a batch',
      "Fix the target or what makes the records, or set `onPoison: { deadLetter: 's3://…' }`",
    ],
    PostgresRefused: [
      'PostgreSQL refuses a statement of `postgresSink`, and not for its values, or rolled a batch back because `write` caught an error',
      'Check names, rights and that the tables exist. The message has the SQLSTATE. Use a SAVEPOINT in `write` for statements that may fail',
    ],
    PublishFailed: [
      'The target of an outbox did not take a batch: it did not answer, or is overloaded or down',
      'The job tries again. Check the target',
    ],
    TargetAhead: [
      'The target of an outbox has a batch that the log of the job does not know: the log was restored from a backup that is older than the target',
      'Restore the newest entries of the log, or the target from a backup that is as old; if records may come again, remove its mark of the job and the sink',
    ],
    UnknownOutcome: [
      'The target of an outbox refused a batch, and does not answer whether it has it from an earlier try',
      'Fix the target, or `published`, and start the job again: it asks again. No dead letter is written before',
    ],
    UnsupportedRecord: [
      'An outbox cannot encode a record',
      "Emit plain data, or give the sink a `serializer`, or skip such records with `onUnencodable: 'skip'`",
    ],
  },
  checkpoint: {
    CheckpointFailed: [
      'Not all operators acked a barrier in time',
      'Raise `checkpoints.timeout` or `checkpoints.tolerableFailures`, or lower `budget`',
    ],
    CheckpointsNeverDurable: [
      'Several attempts in a row failed because a checkpoint timed out',
      'Raise `checkpoints.timeout`, or lower `budget`',
    ],
    DroppedOperator: ['`allowDropped` lists an operator that the job has', 'Remove its id from the list'],
    DroppedPending: [
      '`allowDropped` lists a sink that has output still to publish',
      'Run the job with the sink once more and stop it; then drop the sink',
    ],
    DuplicateId: [
      'Two sources or operators have one id, or one operator was subscribed twice',
      'Give each its own id; end a flow with several sinks with `share()`',
    ],
    Fenced: [
      'Another process has taken over the job',
      'Nothing is lost. Run one process per job and checkpoint directory',
    ],
    GarbageReferenced: [
      'A participant refers to a data object that was declared garbage',
      'An operator of your own must name an object in every checkpoint from its creation to its last use',
    ],
    LateRegistration: [
      'An operator registered after records began to flow',
      'Register on `Open`; lift asynchronous operators out of the flow',
    ],
    LogAccessDenied: [
      'The store refuses access to the checkpoint directory',
      'Grant the rights that the message names',
    ],
    ManifestNotTrusted: [
      'A manifest is not signed by a key of `checkpoints.sign`, or for another place',
      'Check the keys; to take over such a log once, see docs/security.md',
    ],
    ManifestCorrupt: [
      'An entry of the log is not what was written',
      'Restore it from a version or backup of the bucket, or start the job under a new name. What belongs to no job: move it away',
    ],
    ManifestTooLarge: [
      'A checkpoint needs a manifest of more than 64 MiB, or nested more than 1,000 deep',
      'Keep what operators snapshot in keyed state; have fewer files open at a time',
    ],
    ManifestTooNew: ['A later version of millrace wrote the log', 'Run that version, or a later one'],
    AlreadyStarted: [
      'A job that is to start from a savepoint has checkpoints already, and did not begin with that savepoint',
      'Remove `from`, or give the job a new name or another checkpoint directory',
    ],
    KeyGroupsChanged: [
      'A job that has the state of some key groups is to run with others',
      'Set `keyGroups` as before; for others, start a job with another name from a savepoint',
    ],
    KeyGroupsMismatch: [
      "The savepoints of `from` lack some of the job's key groups, or two have the same",
      'List the savepoints of all jobs that ran side by side, or set `keyGroups` to what they have',
    ],
    SavepointsDiffer: [
      'Several savepoints of `from` have different positions of a source, or other state that cannot be merged',
      'Let the jobs finish the same input first, or give the sources of each job their own ids',
    ],
    SavepointFailed: [
      'A savepoint could not be copied, or the attempt that made it has ended',
      'Make another one; the cause has the reason',
    ],
    SavepointOpen: [
      'A sink left work open at the barrier of a savepoint',
      "Let the sink close everything at a barrier whose reason is `'savepoint'`",
    ],
    SavepointCorrupt: [
      'The root of a savepoint, or one of its objects, is not what was written',
      'Use another copy of the savepoint, or another savepoint',
    ],
    SavepointIncomplete: [
      'A folder has objects of a savepoint, but no root: it was interrupted, or is still being written',
      'Use another savepoint. If nothing is writing it, remove it with millrace savepoint rm --incomplete',
    ],
    SavepointExists: [
      'The target of a copy is another savepoint, or the directory of a job',
      'Copy to another folder, or remove what is there',
    ],
    SavepointOvertaken: [
      'A job has deleted objects of its checkpoint while the command savepoint create copied them',
      'Call `job.savepoint(…)` in its process, or stop it first',
    ],
    SavepointUnpublished: [
      'The last checkpoint of a job has output that is not published, or files that are open, and only the job can publish them',
      'Start the job, and call `job.savepoint(…, { stop: true })`',
    ],
    NoCheckpoint: ['There is no job at the URI, or it has no durable checkpoint', 'Check the URI'],
    NotASavepoint: [
      'A folder to be removed is the directory of a job, or has objects that do not belong to a savepoint',
      'Check the URI; other folders are removed with millrace rm --recursive',
    ],
    SavepointNotFound: ['There is no savepoint at the URI', 'Check the URI'],
    SavepointTooNew: ['A later version of millrace wrote the savepoint', 'Run that version, or a later one'],
    SweepTooLong: [
      'Leftovers of earlier attempts were not removed in time. This is logged; the job has finished',
      'Start the job again, or set a lifecycle rule for unfinished uploads',
    ],
    UnknownParticipant: [
      'An operator acked that had not registered, or acked twice',
      'Call `register` on `Open`, and ack each barrier once',
    ],
    VanishedOperator: [
      'The checkpoint holds state of an operator that the job lacks',
      'Restore it under the same id, or start the job under a new name',
    ],
  },
  job: {
    Abandoned: [
      'The consumer of `toAsyncIterable` or `toReadable` left before the end',
      'Nothing, if it meant to: the next start continues after the last durable checkpoint',
    ],
    AlreadyRunning: ['The job is running', 'Wait for `run(…)`'],
    LeafCompleted: ['A leaf completed before its sources ended', 'Limit records with `records(take(n))`'],
    LeafWithoutSource: ['A leaf does not start at a source of the job', 'Begin it with `job.source(…)`'],
    MemoryTooSmall: [
      'The jobs of this process cannot work with the memory that they may hold together',
      'Raise `memory` (`execution.memory-budget`), run fewer jobs in one process, or set smaller fragments and parts',
    ],
    NoConditionalWrites: [
      'The store of the checkpoint directory has no conditional writes',
      "Use another store, or set `checkpoints.fencing` to `'none'` and run one process only",
    ],
    NoLeaves: ['`run(…)` was given no flow', 'Give it at least one'],
    NotRunning: ['A savepoint was asked of a job that does not run', 'Call `job.savepoint(…)` while it runs'],
    OpenLost: ['A leaf did not get `Open`', 'Lift plain operators with `records(…)`'],
    OutsideRun: ['A flow was subscribed outside `job.run(…)`', 'Give the flow to `run(…)`'],
    UnknownService: [
      'An operator asks for a service that nothing provides',
      'Keep one version of millrace in the process; in a test, provide the service',
    ],
    UnknownSource: ['A flow belongs to a source that the job lacks', 'Use the flows of this job only'],
  },
  fs: {
    AbortFailed: ['Some unfinished uploads were not aborted', 'See `failures`, and run it again'],
    CopyFailed: ['Some objects were not copied', 'See `failures`, and run it again'],
    IntoItself: ['The target is inside the source directory', 'Choose a target outside'],
    ListFailed: ['Some objects could not be listed', 'See `failures`'],
    NotEmpty: ['The directory has content', 'Set `recursive`'],
    NotVerified: ['The source of a move has changed since it was copied, and was kept', 'Move it again'],
    OutsideTarget: [
      'A link leads out of the target directory',
      'Remove the link, or name its destination as the target',
    ],
    Overlap: ['The copy would overwrite objects that it has not read yet', 'Copy to another place first'],
    RemoveFailed: ['Some objects were not removed', 'See `failures`, and run it again'],
    SamePlace: ['Source and target are the same', 'Name another target'],
    WholeBucket: ['The target is a whole bucket', 'Set `wholeBucket`'],
    InvalidRecoverable: [
      'A string is not a resumable or committable of a recoverable writer',
      'Pass the string exactly as it was returned, to a version of millrace that is not older than its writer',
    ],
    WriterClosed: ['The writer is closed', 'Open a new one'],
    EACCES: ['Access is denied', 'See `cause`'],
    EAGAIN: ['The store is throttling or temporarily unavailable', 'Try again'],
    EBADF: ['The file handle is closed, or not open for this', 'Open the file again'],
    EBUSY: ['The object is being changed', 'Try again'],
    EEXIST: ['The object exists', 'Choose another name'],
    EINVAL: ['An argument is invalid', 'Fix it: see the message'],
    EIO: ['Reading or writing failed', 'See `cause`'],
    EISDIR: ['The path is a directory', 'Name an object'],
    ENOENT: ['There is no such object or directory', 'Check the path'],
    ENOTDIR: ['The path, or a part of it, is not a directory', 'Check the path'],
    ENOTEMPTY: ['The directory has content', 'Empty it, or remove it with `recursive`'],
    ENOTSUP: ['Objects cannot do this', 'See the message'],
    EPERM: ['The operation is not permitted', 'See `cause`'],
    ESTALE: ['The object was replaced while it was open', 'Open it again'],
  },
};
