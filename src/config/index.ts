export * from './public.js';
export { config, defaultConfig } from './service.js';
