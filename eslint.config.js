import tseslint from 'typescript-eslint';
import rxjsX from 'eslint-plugin-rxjs-x';

// Rooms in the order of the design: a room may import only from itself and from rooms before it.
const rooms = [
  'flow',
  'path',
  'config',
  'store',
  'formats',
  'state',
  'operators',
  'sources',
  'sinks',
  'checkpoint',
  'job',
  'fs',
  'testing',
  'cli',
];

// The same within state. The files beside these folders are for all of them.
const stateRooms = ['keys', 'values', 'segment', 'runs', 'kinds', 'backend', 'stored', 'layout'];

/** What the files of a room may not import. */
const restrictions = (room) => [
  ...(room === 'testing' || room === rooms.at(-1)
    ? []
    : [
        {
          regex: `^(\\.\\./)+(${rooms.slice(rooms.indexOf(room) + 1).join('|')})/|^(\\.\\./)+index\\.js$`,
          message: `${room}/ may import only rooms above it in the design's list.`,
        },
      ]),
  ...(room === 'store'
    ? []
    : [{ regex: '^@aws-sdk/|^@smithy/', message: 'Only store/s3 knows the AWS SDK.' }]),
  ...(room === 'flow' || room === 'path'
    ? [
        {
          regex: '^\\.\\./(?!errors\\.js$)',
          message: `${room}/ imports nothing of ours but errors.ts.`,
        },
      ]
    : []),
];

const direction = [
  ...rooms.map((room) => ({ files: [`src/${room}/**/*.ts`], patterns: restrictions(room) })),
  ...stateRooms.slice(0, -1).map((room, i) => ({
    files: [`src/state/${room}/*.ts`],
    patterns: [
      ...restrictions('state'),
      {
        regex: `^\\.\\./(${stateRooms.slice(i + 1).join('|')})/`,
        message: `state/${room}/ may import only folders above it in the list of state/index.ts.`,
      },
    ],
  })),
].map(({ files, patterns }) => ({ files, rules: { 'no-restricted-imports': ['error', { patterns }] } }));

export default tseslint.config(
  { ignores: ['dist/', 'build/', 'node_modules/', 'coverage/'] },
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked, rxjsX.configs.recommended],
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/unified-signatures': 'off',
      'rxjs-x/no-ignored-subscription': 'off',
      'rxjs-x/prefer-observer': 'off',
    },
  },
  {
    // A bare `next` that throws loses the record silently: operators go through FlowSubscriber.
    files: ['src/operators/**/*.ts', 'src/sinks/**/*.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: 'NewExpression[callee.name=/^(Observable|Subject|BehaviorSubject|ReplaySubject)$/]',
          message:
            'Build operators with flowOperator/FlowSubscriber: it catches what callbacks throw and routes signals.',
        },
        {
          selector: 'AwaitExpression',
          message: 'No await inside an operator: virtual time must be able to run it.',
        },
      ],
    },
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: 'ClassDeclaration:has(TSClassImplements > Identifier[name=/^(Clock|Attempt)$/])',
          message: 'Tests share SimulatedClock and TestAttempt of src/testing.',
        },
      ],
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/unbound-method': 'off',
      // Jest's asymmetric matchers are `any`.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unnecessary-condition': 'off',
    },
  },
  ...direction,
);
