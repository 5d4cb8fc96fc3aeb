// Compiles each case of `cases.json` in the working directory, on top of its `tsconfig.json`, and prints what the
// compiler reports. A separate program, as TypeScript takes several times as long inside a test runner.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

const dir = process.cwd();
const { compilerOptions } = ts.readConfigFile('tsconfig.json', ts.sys.readFile).config;
const ordinary = { ...compilerOptions, noEmit: true, skipLibCheck: true };
const parsed = new Map();

function problems({ names, settings }) {
  const { options, errors } = ts.convertCompilerOptionsFromJson({ ...ordinary, ...settings }, dir);
  const host = ts.createCompilerHost(options);
  const { getSourceFile } = host;
  host.getSourceFile = (path, language, ...rest) => {
    const id = [path, language.languageVersion, language.impliedNodeFormat, options.module].join('|');
    if (!parsed.has(id)) parsed.set(id, getSourceFile(path, language, ...rest));
    return parsed.get(id);
  };
  const program = ts.createProgram(
    names.map((name) => join(dir, name)),
    options,
    host,
  );
  return [...errors, ...ts.getPreEmitDiagnostics(program)].map(
    ({ code, file, messageText }) =>
      `TS${code} ${file?.fileName ?? ''} ${ts.flattenDiagnosticMessageText(messageText, '\n')}`,
  );
}

const cases = JSON.parse(readFileSync('cases.json', 'utf8'));
console.log(JSON.stringify(cases.map(problems)));
