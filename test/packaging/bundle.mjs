// Runs the `webpack.config.cjs` of the working directory and prints the result of webpack.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import webpack from 'webpack';

const context = process.cwd();
const config = createRequire(import.meta.url)(join(context, 'webpack.config.cjs'));
// Minifying takes most of the time; that no name matters is held by tests of what uses names.
webpack({ ...config, context, optimization: { minimize: false } }, (error, stats) => {
  console.log(error ?? stats.toString({ all: false, errors: true, warnings: true }));
});
