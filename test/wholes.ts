import type { Whole } from './mirror.js';

/** What belongs together is tested together: by a property of the whole, or through the only function that uses it. */
export const wholes: readonly Whole[] = [
  {
    files: 'job/doctor.ts',
    by: 'cli/commands/doctor.test.ts',
    because: 'It is what the command shows and removes.',
  },
  {
    files: 'sinks/http/{answer,headers}.ts',
    by: 'sinks/http/httpSink.test.ts',
    because: 'A real service receives headers, and gives answers.',
  },
  {
    files: 'sinks/postgres/{client,errors,index,marks,options,table}.ts',
    by: 'sinks/postgres/postgresSink.test.ts',
    because: 'A real PostgreSQL runs the statements that they make, and answers with its errors.',
  },
  {
    files:
      'sinks/outbox/{batches,deadLetters,errors,journaled,mark,options,outboxMemory,publisher,recordCodec,retries,targetClient}.ts',
    by: 'sinks/outbox/outboxSink.test.ts',
    because: 'They are the steps of one protocol, with a crash between any two.',
  },
  {
    files: 'fs/recoverable/recoverableFile.ts',
    by: 'fs/recoverable/recoverableWriter.test.ts',
    because: 'A file and its writer are one protocol: a model runs them.',
  },
  {
    files: 'store/multipart/{sealed,stored,tails}.ts',
    by: 'sinks/file/crashPoints.test.ts',
    because: 'They seal what a crash leaves of a file, with its tail in journals.',
  },
  {
    files: 'job/outlet.ts',
    by: 'job/toAsyncIterable.test.ts',
    because: 'It is the inner half of the iterator.',
  },
  {
    files:
      'formats/avro/{checker,codecs,container,cutter,decoder,encoder,failures,logical,long,plainObjects,schema}.ts',
    by: 'formats/avro/avro.test.ts',
    because: 'Files go through all of it, written by it, by avsc and by fastavro, and damaged.',
  },
  {
    files: 'formats/groupReader.ts',
    by: 'formats/parquet/parquet.test.ts',
    because: 'Files written by DuckDB and pyarrow go through all of it, as the source reads them.',
  },
  {
    files: 'formats/parquet/{columns,encoder,groupState,packing,rowGroups}.ts',
    by: 'formats/parquet/held.property.test.ts',
    because: 'A property of files of any schema, with checkpoints anywhere.',
  },
  {
    files: 'formats/parquet/{elements,exact,fit,minusZero,misfit,types,write,writeCodecs,writerTypes}.ts',
    by: 'formats/parquet/writing.test.ts',
    because: 'Files go through all of it, and are read by DuckDB and pyarrow.',
  },
  {
    files: 'formats/parquet/{codecs,columnFit,decoder,failures,groupPlan,values}.ts',
    by: 'formats/parquet/parquet.test.ts',
    because: 'Files written by DuckDB and pyarrow go through all of it, as the source reads them.',
  },
  {
    files: 'formats/typedValues.ts',
    by: 'formats/parquet/parquet.test.ts',
    because: 'Files of DuckDB have values of all types.',
  },
  {
    files: 'sources/{groupObject,groupRanges}.ts',
    by: 'formats/parquet/parquet.test.ts',
    because: 'Files written by DuckDB and pyarrow go through all of it, as the source reads them.',
  },
  {
    files: 'sources/puller.ts',
    by: 'sources/fromAsyncIterable.test.ts',
    because: 'They read ahead for the sources of iterables.',
  },
  {
    files:
      'checkpoint/{barriers,checkpointState,checkpointTurn,checkpoints,inventory,logState,logTurn,nextManifest,publishing,rounds}.ts',
    by: 'checkpoint/model.test.ts',
    because: 'Pure steps of one protocol: the model checker runs them, with each rule switched off as well.',
  },
  {
    files:
      'checkpoint/{checkpointDriver,dataPlace,firstState,logRequests,restored,sentBarriers,superseded}.ts',
    by: 'checkpoint/coordinator.test.ts',
    because: 'They carry out the steps and read what was written, for the coordinator alone.',
  },
  {
    files: 'checkpoint/savepoints/{name,stored}.ts',
    by: 'cli/commands/savepoint.test.ts',
    because: 'They are what the commands do, on stores of three kinds.',
  },
  {
    files: 'checkpoint/savepoints/{adopt,copy,maker,making}.ts',
    by: 'simulation/savepoints.test.ts',
    because: 'Whole jobs make savepoints and start from them, with a crash at every request.',
  },
  {
    files: 'checkpoint/savepoints/merged.ts',
    by: 'job/keyGroups.test.ts',
    because: 'Jobs begin with several savepoints there, and find what does not fit.',
  },
  {
    files: 'checkpoint/{manifestCodec,signedJson}.ts',
    by: 'checkpoint/manifest.test.ts',
    because: 'A property decodes what manifests encode.',
  },
  {
    files: 'checkpoint/{signature,trust}.ts',
    by: 'security/sign.test.ts',
    because: 'Forged manifests are what they are for.',
  },
  {
    files: 'job/signing.ts',
    by: 'security/sign.test.ts',
    because: 'The keys of jobs, whose manifests are forged there.',
  },
  {
    files: 'checkpoint/accessError.ts',
    by: 'store/probe.test.ts',
    because: 'It words what the probe of a store finds.',
  },
  {
    files: 'cli/{index,main}.ts',
    by: 'cli/processes.test.ts',
    because: 'It starts the program that was built, and so imports nothing of it.',
  },
  {
    files: 'cli/render/{errors,progressLine,rate,text,units}.ts',
    by: 'cli/render/render.test.ts',
    because: 'Small pure functions, one table of cases.',
  },
  {
    files: 'cli/{commands/,render/,}*.ts',
    by: 'cli/outcomes.test.ts',
    because: 'A program: commands run as users type them, and are judged by what they print and leave.',
  },
  {
    files: 'config/{load,schema}/*.ts',
    by: 'config/effects.long.test.ts',
    because: 'Every key there is has an effect, however it is set.',
  },
  {
    files: 'config/{checkId,checkS3Options,nearest,readable}.ts',
    by: 'config/checkOptions.test.ts',
    because: 'They find and word what is wrong with options.',
  },
  {
    files: 'config/{mergeS3,service,units}.ts',
    by: 'config/wiring.test.ts',
    because: 'They carry settings from the configuration to who uses them.',
  },
  {
    files: 'flow/{attempt,clock,flowObservable,foreignName,signals,signalTypes,stack}.ts',
    by: 'flow/operator.test.ts',
    because: 'Signals, and what the helper of operators is made of.',
  },
  {
    files: 'flow/unencodable.ts',
    by: 'job/unencodable.test.ts',
    because: 'It is about records, and needs a job that has some.',
  },
  {
    files: 'flow/deferred.ts',
    by: 'operators/records.test.ts',
    because: 'What an operator defers is held by its place among signals.',
  },
  {
    files: 'formats/{endCutter,frames,whole}.ts',
    by: 'sources/everyCut.test.ts',
    because: 'Boundaries must be found wherever the bytes are cut.',
  },
  {
    files: 'formats/elementCutter.ts',
    by: 'formats/jsonArray.test.ts',
    because: 'Elements are cut and decoded together.',
  },
  {
    files: 'formats/csv/*.ts',
    by: 'formats/csv/csv.test.ts',
    because: 'Rows go through cutter, decoder and encoder together.',
  },
  {
    files: 'formats/{bytes,depth,jsonEncoder,jsonParsers,lines,ndjson,text,typeName,validator}.ts',
    by: 'formats/formats.test.ts',
    because: 'One suite is run on every format.',
  },
  {
    files: 'formats/jsonNumbers.ts',
    by: 'formats/numbers.test.ts',
    because: 'Numbers go through encoder and decoder together.',
  },
  {
    files: 'formats/{brotli,codec,decompressed,framed,snappy,zstd}.ts',
    by: 'formats/codecs.test.ts',
    because: 'One suite is run on every codec.',
  },
  {
    files: 'formats/gzipHeader.ts',
    by: 'formats/gzip.test.ts',
    because: 'The header of what is read there.',
  },
  {
    files: 'formats/snappyBlock.ts',
    by: 'state/segment/snappy.test.ts',
    because: 'Blocks of segments are where most foreign Snappy comes from.',
  },
  {
    files: 'formats/recognise.ts',
    by: 'formats/detect.test.ts',
    because: 'A format is detected by what is recognised.',
  },
  {
    files: 'operators/{countByKey,distinctByKey,joinByKey,latestByKey,reduceByKey,scanByKey,scanState}.ts',
    by: 'operators/byKey.test.ts',
    because: 'A few lines each over keyed state, checked alike; marbles, matrix and laws run on each.',
  },
  {
    files: 'operators/keyed/byKeyOptions.ts',
    by: 'operators/byKey.options.test.ts',
    because: 'Every option has the same effect on every operator by key.',
  },
  {
    files: 'operators/keyed/keyedRecords.ts',
    by: 'operators/keyed.test.ts',
    because: 'It is what keyed is made of.',
  },
  {
    files: 'fs/operations/{,transfer/}*.ts',
    by: 'fs/operations/operations.model.test.ts',
    because: 'Any sequence of operations is held against a model of a file system.',
  },
  {
    files: 'fs/promises/*.ts',
    by: 'fs/promises/createFs.differential.test.ts',
    because: 'Every function is held against the one of Node.',
  },
  {
    files: 'fs/{contents,optionNames}.ts',
    by: 'fs/promises/createFs.test.ts',
    because: 'They check what callers of the functions give.',
  },
  { files: 'store/reader/*.ts', by: 'store/reader/reader.property.test.ts', because: 'Parts of one reader.' },
  { files: 'fs/writer/*.ts', by: 'fs/writer/writer.test.ts', because: 'Parts of one writer.' },
  {
    files: 'job/{attempt,checkpointPlace,environment,hotSource,job,leaf}.ts',
    by: 'job/wiring.test.ts',
    because: 'They are what a job is wired of.',
  },
  {
    files: 'job/restartPolicy.ts',
    by: 'job/restarts.test.ts',
    because: 'The policy decides on restarts.',
  },
  {
    files: '{flow/memory,job/memory/account,job/memory/budget,job/memory/error,job/memory/process}.ts',
    by: 'job/memory.test.ts',
    because: 'One budget for all jobs of a process.',
  },
  { files: 'job/waits.ts', by: 'job/stalls.test.ts', because: 'What waits is told by stalls.' },
  {
    files: 'operators/values.ts',
    by: 'marbles.test.ts',
    because: 'What an operator promises is drawn as marbles.',
  },
  {
    files: 'path/{authority,pathPattern,relative}.ts',
    by: 'path/s3Path.test.ts',
    because: 'Parts of a path.',
  },
  {
    files: '{printable,shape}.ts',
    by: 'config/checkOptions.test.ts',
    because: 'Messages show what was given by them.',
  },
  {
    files:
      'sinks/file/{committable,fileKind,fileMemory,fileNames,frozenFiles,leftUploads,openFiles,ownership,places,pressure,publisher,remainder,rest,tailBytes,uploads}.ts',
    by: 'sinks/file/crashPoints.test.ts',
    because: 'Parts of one sink, which crashes at every request of theirs.',
  },
  {
    files: 'sinks/file/partitions/{partitioner,zone}.ts',
    by: 'sinks/file/partitions/byTime.test.ts',
    because: 'It compares local times with those of Intl.',
  },
  {
    files: 'sinks/twoPhase/{journal,sinkMemory,tails}.ts',
    by: 'sinks/file/crashPoints.test.ts',
    because: 'Journals hold the tails of a sink, in its memory; it crashes at every request of theirs.',
  },
  {
    files: 'sinks/twoPhase/{acks,committables,committer,places}.ts',
    by: 'sinks/twoPhase/twoPhaseSink.test.ts',
    because: 'Parts of the base of two-phase sinks.',
  },
  {
    files:
      'sources/{coveredKeys,fetchedObject,fetcher,filesPosition,filesReader,filesSettings,laterObjects,listed,listedPosition,listedRoot,malformedRecords,objectBytes,objectReader,openObject,openObjects,pinnedRange,place,position,preview,resumedObjects,slicer,splitBytes,splitObjects,uriOwners,vanished}.ts',
    by: 'sources/files.test.ts',
    because: 'Parts of one source.',
  },
  {
    files: 'sources/fragmentBudget.ts',
    by: 'sources/fragments.test.ts',
    because: 'It is the arithmetic of one plan.',
  },
  {
    files: 'sources/continuous/{hints,options,position,requests,rounds}.ts',
    by: 'sources/continuous/continuous.test.ts',
    because: 'Parts of one discovery.',
  },
  {
    files: 'sources/{durablePositions,endlessPolls,standstill}.ts',
    by: 'sources/pump.test.ts',
    because: 'Parts of the pump.',
  },
  {
    files: 'state/{runs/merge,runs/run*,runs/segmentRun,segment/*}.ts',
    by: 'state/runs/segmentWriter.test.ts',
    because: 'A segment is written and read; each half is the test of the other.',
  },
  {
    files: 'state/values/*.ts',
    by: 'state/values/roundTrip.test.ts',
    because: 'A value comes back as it was, or is refused: one property.',
  },
  {
    files: 'state/kinds/*.ts',
    by: 'state/kinds/kinds.test.ts',
    because:
      'What kinds have in common is tested for all of them; the model in cells.model.test.ts has every kind, too.',
  },
  {
    files: 'state/stored/{keyCells,storedEntries,storedSpec}.ts',
    by: 'state/stored/storedState.test.ts',
    because: 'Reads from outside: one property has one key, and all.',
  },
  {
    files: '{checkpoint/newest,job/checkpointSource}.ts',
    by: 'job/openState.test.ts',
    because: 'Opening state from outside is what they are for.',
  },
  {
    files: 'job/{importState,stateFolder,stateStores}.ts',
    by: 'job/exportState.test.ts',
    because: 'What is exported is imported: one test of a job, and of a crash at every request.',
  },
  {
    files: 'state/layout/{checkFolder,summary}.ts',
    by: 'job/exportState.test.ts',
    because: 'They are of exports of whole jobs.',
  },
  {
    files: 'checkpoint/savepoints/write.ts',
    by: 'job/exportState.test.ts',
    because: 'Imports alone use it.',
  },
  {
    files: 'state/layout/{entry*,importEntries}.ts',
    by: 'state/layout/exportEntries.test.ts',
    because: 'What is exported is imported: one property.',
  },
  {
    files: 'state/{state,backend/*}.ts',
    by: 'state/backend/backend.test.ts',
    because: 'The backend alone uses them.',
  },
  {
    files: 'store/decorators/*.ts',
    by: 'store/decorators/decorate.test.ts',
    because: 'The conformance suite runs on each, and on all together.',
  },
  {
    files: 'store/gateway/{,operations/}*.ts',
    by: 'store/gateway/gateway.objects.test.ts',
    because: 'A server is tested by requests.',
  },
  {
    files: 'store/local/*.ts',
    by: 'store/local/localStore.test.ts',
    because: 'An adapter of a port: the conformance suite calls all of it.',
  },
  {
    files: 'store/memory/*.ts',
    by: 'store/memory/memoryStore.test.ts',
    because: 'An adapter of a port: the conformance suite calls all of it.',
  },
  {
    files: 'store/multipart/bufferPool.ts',
    by: 'fs/writer/writer.test.ts',
    because: 'Those who use buffers show that none is lost.',
  },
  {
    files: 'store/observe/{sourceMetrics,sourceProgress}.ts',
    by: 'store/observe/openTelemetry.test.ts',
    because: 'What OpenTelemetry shows of sources, and where from.',
  },
  {
    files: 'store/observe/channels.ts',
    by: 'store/observe/observed.test.ts',
    because: 'What is observed is published there.',
  },
  {
    files: 'store/{abortUploads,registry}.ts',
    by: 'store/open.test.ts',
    because: 'Stores are opened through them.',
  },
  {
    files: 'store/relation.ts',
    by: 'fs/operations/relation.test.ts',
    because: 'Two names of one place matter to operations.',
  },
  {
    files: 'store/multipart/upload.ts',
    by: 'state/runs/upload.test.ts',
    because: 'Segments are uploaded by it.',
  },
  {
    files: 'formats/writer.ts',
    by: 'sinks/file/fileSink.test.ts',
    because: 'A file sink is what a writer is for.',
  },
  {
    files: 'store/links.ts',
    by: 'sources/files.test.ts',
    because: 'It tells what a listing leaves out.',
  },
  {
    files: 'store/services.ts',
    by: 'job/services.test.ts',
    because: 'A job has them.',
  },
  { files: 'store/trials.ts', by: 'store/probe.test.ts', because: 'The probe is made of trials.' },
  {
    files: 'store/s3/{,aws/,credentials/,proxy/}*.ts',
    by: 'store/s3/store.conformance.test.ts',
    because: 'An adapter of a port: the conformance suite calls all of it, over HTTP.',
  },
  {
    files: 'testing/{laws,matrix}/*.ts',
    by: 'testing/laws/laws.test.ts',
    because: 'Operators that are wrong on purpose show that each law and each case can fail.',
  },
  {
    files: 'testing/{storeConformance,store/*}.ts',
    by: 'store/decorators/decorate.test.ts',
    because: 'Stores that are wrong on purpose show that the suite can fail.',
  },
  {
    files: 'testing/{countedClock,marbleFile,memoryServices,sealed,testAttempt}.ts',
    by: 'marbles.test.ts',
    because: 'Marbles run on them.',
  },
  {
    files: '{,**/}errors.ts',
    by: 'docs/errors.test.ts',
    because: 'It finds every place that raises a code, and holds it against the catalog.',
  },
];
