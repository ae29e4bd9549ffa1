<?php
/**
 * Prints what the given files hold that PHP 7.4 cannot read, or does not have; nothing when all is well.
 *
 * It looks at the tokens of the PHP that runs it, which must be 8.0 or newer.
 */

const NEW_TOKENS = array( 'T_MATCH', 'T_NULLSAFE_OBJECT_OPERATOR', 'T_ATTRIBUTE', 'T_ENUM', 'T_READONLY' );
const NEW_FUNCTIONS = array( 'str_contains', 'str_starts_with', 'str_ends_with', 'get_debug_type', 'get_resource_id', 'fdiv', 'preg_last_error_msg', 'array_is_list', 'array_find', 'array_any', 'array_all', 'json_validate', 'mb_str_pad', 'mb_trim', 'iterator_apply_all', 'ini_parse_quantity', 'str_increment' );
/** What a line of code looks like, with all strings and comments gone, and single spaces. */
const NEW_PATTERNS = array(
	'a type of PHP 8'                => '~[(,] ?\??(mixed|never|null|false) \$|\) ?: ?\??(mixed|never|static|null|false) ?\{~',
	'a union or intersection'        => '~[(,:] ?\??[\w\\\\]+ ?[|&] ?[\w\\\\]+( ?[|&] ?[\w\\\\]+)*( &?(\.\.\.)?\$\w+ ?[,)=]| ?\{)~',
	'a comma after the last parameter' => '~(function \w*|fn|use) ?\([^()]*, ?\)~',
	'a parameter that makes a property' => '~__construct ?\([^)]*\b(public|protected|private) ~',
	'a named argument'               => '~[(,] ?[a-z_]\w* ?:(?!:)~i',
	'a catch without a variable'     => '~catch ?\( ?[\w\\\\| ]+\)~',
	'throw as an expression'         => '~(\?\?|\?|:|=|=>|\(|&&|\|\|) ?throw ~',
	'a callable of dots'             => '~\( ?\.\.\. ?\)~',
	'the class of an object'         => '~\$\w+::class~',
	'new in a default'               => '~function [^{;]*= ?new ~',
);

foreach ( array_slice( $argv, 1 ) as $file ) {
	$code = '';
	foreach ( PhpToken::tokenize( file_get_contents( $file ) ) as $token ) {
		if ( in_array( $token->getTokenName(), NEW_TOKENS, true ) ) {
			echo "$file:{$token->line}: {$token->text}\n";
		}
		if ( $token->is( array( T_COMMENT, T_DOC_COMMENT, T_WHITESPACE, T_OPEN_TAG ) ) ) {
			$code .= ' ';
		} elseif ( $token->is( array( T_CONSTANT_ENCAPSED_STRING, T_ENCAPSED_AND_WHITESPACE ) ) ) {
			$code .= "''";
		} else {
			$code .= $token->text;
		}
	}
	$code = preg_replace( array( '~\s+~', '~\b(case|default)\b[^:]*:~' ), array( ' ', '' ), $code );
	foreach ( NEW_PATTERNS as $name => $pattern ) {
		if ( preg_match( $pattern, $code, $found ) ) {
			echo "$file: $name: {$found[0]}\n";
		}
	}
	foreach ( NEW_FUNCTIONS as $name ) {
		if ( preg_match( '~(?<![>:\w$])' . $name . ' ?\(~', $code ) ) {
			echo "$file: $name()\n";
		}
	}
}
