import DefaultTheme from 'vitepress/theme-without-fonts';
import { followSwitch } from './pictures.ts';
import './style.css';

export default { extends: DefaultTheme, setup: followSwitch };
