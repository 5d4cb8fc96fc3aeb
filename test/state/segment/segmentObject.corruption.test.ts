import { corruptionIsDetected } from './corruption.js';

corruptionIsDetected({ thin: 20 });
