import { restores } from './restores.js';

restores({ thin: 6, seeds: 40 });
