#include <stdlib.h>
#include <stdio.h>
int main(int c,char**v){int n=atoi(v[1]); int mode=atoi(v[2]);
 for(int i=0;i<n;i++){ if(mode==0){char*b=malloc(16); for(size_t s=32;s<=1<<20;s*=2){b=realloc(b,s);((volatile char*)b)[s-1]=1;} free(b);}
 else {char*b=malloc(1<<20); for(size_t s=512<<10;s>=16;s/=2){b=realloc(b,s);((volatile char*)b)[s-1]=1;} free(b);} } return 0;}
