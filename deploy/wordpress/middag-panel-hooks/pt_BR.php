<?php
defined( 'ABSPATH' ) || exit;

return array();
