import { restores } from './restores.js';

restores({ thin: 1, seeds: 100 });
