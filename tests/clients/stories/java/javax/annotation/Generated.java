package javax.annotation;

/** Marks generated code: the one word of the annotations package that the client's source uses. */
public @interface Generated {
    String value();

    String comments() default "";
}
